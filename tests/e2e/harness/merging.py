"""Merges: a source and a target that began as copies of each other, and what a merge said."""

from . import compare

COUNTS = ("inserted", "updated", "deleted", "unchanged", "conflicts", "kept", "replaced", "skipped", "cascaded")

# Values that change places, and rows that refer to them.
SWAP = """CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE, w text);
    CREATE TABLE child (id int PRIMARY KEY, t int NOT NULL REFERENCES t ON DELETE CASCADE);
    CREATE TABLE byvalue (id int PRIMARY KEY, u text REFERENCES t (u) ON UPDATE CASCADE);
    CREATE UNIQUE INDEX ON t (lower(w)) WHERE w IS NOT NULL;
    INSERT INTO t SELECT g, 'u' || g, 'W' || g FROM generate_series(1, 9) g;
    INSERT INTO child SELECT g, g FROM generate_series(1, 9) g;
    INSERT INTO byvalue SELECT g, 'u' || g FROM generate_series(1, 9) g"""


class Merged:
    """What one merge said."""

    def __init__(self, result):
        self.result, self.doc = result, result.json
        self.tables = {f"{t['schema']}.{t['name']}": t for t in self.doc["tables"]}

    def counts(self, table=None):
        """The counts that are not 0, of one table or of all."""
        of = self.tables[table if "." in table else f"public.{table}"] if table else self.doc
        return {key: of[key] for key in COUNTS if of[key]}

    def base(self, table):
        return self.tables[table if "." in table else f"public.{table}"]["base"]


class Pair:
    """A source and a target that began as copies of each other."""

    def __init__(self, cluster, pgstow, database, sql, target_sql=None):
        self.cluster, self.pgstow = cluster, pgstow
        self.source = database(sql=sql)
        self.target = database(template=self.source) if target_sql is None else database(sql=target_sql)

    def change(self, source=None, target=None):
        if source:
            self.cluster.sql(source, self.source)
        if target:
            self.cluster.sql(target, self.target)

    def backup(self):
        return self.pgstow.backup(self.source, "--quiet")

    def run(self, mode, *args, backup=None, expect="OK", **kwargs):
        return self.pgstow.run("restore", backup or self.backup(), "--merge", mode, "--json", *args, db=self.target,
                               expect=expect, **kwargs)  # fmt: skip

    def merge(self, mode="upsert", *args, **kwargs):
        merged = Merged(self.run(mode, *args, **kwargs))
        assert self.leftovers() == ""
        return merged

    def again(self, mode, *args, **kwargs):
        """Merging the same once more writes nothing."""
        merged = self.merge(mode, *args, **kwargs)
        assert not {"inserted", "updated", "deleted", "replaced", "cascaded"} & set(merged.counts()), merged.counts()
        return merged

    def refused(self, kind, mode="upsert", *args, **kwargs):
        """It fails, and nothing is changed."""
        before = compare.snapshot(self.cluster, self.target)
        result = self.run(mode, *args, expect=kind, **kwargs)
        compare.assert_as_before(self.cluster, self.target, before)
        assert self.leftovers() == ""
        return result

    def leftovers(self):
        return self.cluster.sql("SELECT nspname FROM pg_namespace WHERE nspname ~ '^pgstow_'", self.target)

    def rows(self, sql):
        return self.cluster.sql(sql, self.target).splitlines()

    def assert_same(self):
        compare.assert_same(self.cluster, self.source, self.target)

    def assert_same_rows(self):
        compare.assert_same_rows(self.cluster, self.source, self.target)

    def assert_same_rows_of(self, *tables):
        for table in tables:
            rows = [self.cluster.sql(f"SELECT t::text COLLATE \"C\" FROM {table} t ORDER BY 1", of) for of in (self.source, self.target)]
            assert rows[0] == rows[1], f"rows of {table} differ"
