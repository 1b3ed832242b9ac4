"""backup --globals and restore --globals: roles, memberships, settings, tablespaces."""

import json
import shutil

import pytest

from harness.cluster import Cluster
from harness.program import Pgstow

ROLES = r"""
CREATE ROLE plain;
CREATE ROLE "Odd ""name"" rôle" LOGIN PASSWORD 'secret one' CREATEDB CREATEROLE NOINHERIT CONNECTION LIMIT 7
    VALID UNTIL '2031-02-03 04:05:06+00';
COMMENT ON ROLE "Odd ""name"" rôle" IS E'it''s; \\ odd\n--';
CREATE ROLE boss SUPERUSER BYPASSRLS REPLICATION;
CREATE ROLE deputy LOGIN CREATEROLE;
CREATE ROLE worker LOGIN;
CREATE ROLE differs LOGIN CONNECTION LIMIT 3;
CREATE ROLE same CREATEDB;
GRANT plain TO deputy WITH ADMIN OPTION;
GRANT plain TO worker GRANTED BY deputy;
GRANT pg_monitor, pg_read_all_data TO worker;
GRANT same TO differs;
ALTER ROLE worker SET search_path = "$user", "odd, schema", public;
ALTER ROLE worker SET work_mem = '7MB';
ALTER ROLE worker SET "shop.note" = 'it''s';
ALTER ROLE same SET work_mem = '9MB';
ALTER ROLE worker IN DATABASE postgres SET work_mem = '8MB';
CREATE ROLE owner_of_things;
ALTER ROLE ALL SET statement_timeout = '61min';
GRANT SET ON PARAMETER log_statement TO PUBLIC, worker;
"""
# What is left of a role that was made by a restore: everything but its OID.
ASK = {
    "roles": """SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication,
        rolbypassrls, rolconnlimit, rolvaliduntil, shobj_description(oid, 'pg_authid')
        FROM pg_roles WHERE rolname !~ '^(pg_|needs_|postgres|differs)' ORDER BY 1""",
    "members": """SELECT roleid::regrole, member::regrole, grantor::regrole, admin_option FROM pg_auth_members
        WHERE member::regrole::text !~ 'differs|^pg_' ORDER BY 1, 2, 3""",
    "settings": """SELECT setrole::regrole, datname, (SELECT array_agg(s ORDER BY s) FROM unnest(setconfig) s) FROM pg_db_role_setting
        LEFT JOIN pg_database d ON d.oid = setdatabase WHERE setrole <> 0 AND setrole::regrole::text <> 'same' ORDER BY 1, 2""",
    "spaces": """SELECT spcname, spcowner::regrole, spcoptions, spcacl, shobj_description(oid, 'pg_tablespace')
        FROM pg_tablespace WHERE spcname !~ '^pg_' ORDER BY 1""",
}  # fmt: skip


@pytest.fixture(scope="module")
def source(cluster):
    """A database on a server with such roles; they are dropped again."""
    server = Cluster()
    spaces = server.folder / "spaces"
    for name in ("fast", "gone"):
        (spaces / name).mkdir(parents=True)
        if server.user:
            shutil.chown(spaces / name, server.user.pw_uid)
    server.sql(ROLES)
    server.sql(f"""CREATE TABLESPACE "fast 'space" OWNER plain LOCATION '{spaces}/fast' WITH (random_page_cost = 1.1);
        """)
    server.sql(f"CREATE TABLESPACE gone LOCATION '{spaces}/gone'")
    server.sql("""GRANT CREATE ON TABLESPACE "fast 'space" TO worker WITH GRANT OPTION;
        COMMENT ON TABLESPACE "fast 'space" IS 'quick;'""")
    server.create("shop", sql="""
        CREATE TABLE t (id int PRIMARY KEY) TABLESPACE "fast 'space"; INSERT INTO t SELECT generate_series(1, 100);
        ALTER TABLE t OWNER TO owner_of_things; GRANT SELECT ON t TO "Odd ""name"" rôle", worker, deputy;
        ALTER DATABASE shop SET work_mem = '6MB'; ALTER ROLE worker IN DATABASE shop SET work_mem = '5MB';""")  # fmt: skip
    server.spaces = spaces
    yield server
    server.destroy()


@pytest.fixture(scope="module")
def other():
    server = Cluster(copied="other")
    yield server
    server.destroy()


@pytest.fixture
def target(other):
    """An empty server, except for two roles that are there already."""
    other.sql("CREATE ROLE differs NOLOGIN; CREATE ROLE same CREATEDB")
    yield other
    other.drop("shop", "new")
    for kind, name in other.rows(r"""SELECT 'TABLESPACE', quote_ident(spcname) FROM pg_tablespace WHERE spcname !~ '^pg_'
            UNION ALL SELECT 'ROLE', quote_ident(rolname) FROM pg_roles WHERE rolname !~ '^(pg_|postgres|needs_)'
            ORDER BY 1 DESC, 2"""):  # fmt: skip
        if kind == "ROLE":
            other.sql(f"DROP OWNED BY {name}")
        other.sql(f"DROP {kind} {name}")


@pytest.fixture(scope="module")
def store(source, module_folder):
    program = Pgstow(source, module_folder)
    program.bare = program.backup("shop", "--globals")
    return program


def answers(server):
    return {what: server.rows(sql) for what, sql in ASK.items()}


def swap_folders(source, target, *names):
    """The target's tablespaces would be where the source's are: the source gives its folders away, for a while."""
    for name in names:
        (source.spaces / name).rename(source.spaces / f"{name} of source")
        (source.spaces / name).mkdir()
        if target.user:
            shutil.chown(source.spaces / name, target.user.pw_uid)


def test_it_says_so(source, store):
    meta = store.metadata(store.bare)
    assert meta["globals"] is True and "rolePasswords" not in meta
    store.run("show", store.bare).says("roles without passwords")
    # No hash is anywhere, unless it was asked for.
    lines = store.run("export", store.bare, "--format", "globals", "-o", "-").stdout
    assert "SCRAM-SHA-256" not in lines and 'CREATE ROLE "Odd ""name"" rôle"' in lines
    assert store.run("backup", "--role-passwords", db="shop", expect="USAGE").says("--globals")
    store.run("verify", "--level", "rebuild")


def test_only_on_request(source, store, target):
    to = Pgstow(target, store.folder)
    refused = to.run("restore", store.bare, db="shop", expect="PREFLIGHT")
    refused.error_says("owner_of_things", "--globals", "fast 'space")
    assert target.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'plain'") == "0"


def test_restore(source, store, target):
    before = answers(source)
    swap_folders(source, target, "fast", "gone")
    try:
        to = Pgstow(target, store.folder)
        dry = to.run("restore", store.bare, "--globals", "--dry-run", db="shop")
        dry.says("owner_of_things", "fast 'space", "Nothing was touched")
        assert target.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'plain'") == "0"
        done = to.run("restore", store.bare, "--globals", "--json", db="shop")
        assert "role plain" in done.json["made"] and "tablespace gone" in done.json["made"]
        assert "role same" not in done.json["made"]
        warnings = "\n".join(done.json["warnings"])
        assert "differs" in warnings and "login, connectionLimit" in warnings
        assert '"same" has the setting work_mem=9MB' in warnings and '"differs" is a member of "same"' in warnings
        assert "all roles have the setting statement_timeout=61min" in warnings
        assert "PUBLIC has SET on parameter log_statement" in warnings and "worker has SET" not in warnings
        assert target.sql("SELECT has_parameter_privilege('worker', 'log_statement', 'SET')") == "t"
        assert "no password" in warnings and "worker" in warnings
        assert target.sql("SELECT rolcanlogin, rolconnlimit FROM pg_roles WHERE rolname = 'differs'") == "f|-1"
        assert answers(target) == before
        assert target.sql("SELECT rolpassword FROM pg_authid WHERE rolname ~ 'Odd'") == ""
        assert target.sql("SELECT tableowner, tablespace FROM pg_tables WHERE tablename = 't'", "shop") == "owner_of_things|fast 'space"
        # Once more: nothing is missing, nothing is made.
        again = to.run("restore", store.bare, "--globals", "--replace", "--yes", "--json", db="shop")
        assert "made" not in again.json
    finally:
        target.drop("shop")
        target.sql("""DROP TABLESPACE "fast 'space"; DROP TABLESPACE gone""")
        for name in ("fast", "gone"):
            shutil.rmtree(source.spaces / name)
            (source.spaces / f"{name} of source").rename(source.spaces / name)


def test_a_tablespace_whose_folder_is_missing(source, store, target):
    """One that nobody needs is a warning; one that the database needs stops the restore before it begins."""
    to = Pgstow(target, store.folder)
    refused = to.run("restore", store.bare, "--globals", db="shop", expect="PREFLIGHT")
    refused.error_says("fast 'space", "--no-tablespaces", "nothing was restored")
    assert not target.exists("shop")
    done = to.run("restore", store.bare, "--globals", "--no-tablespaces", "--json", db="shop")
    assert target.sql("SELECT count(*) FROM t", "shop") == "100" and "made" not in done.json


def test_passwords_on_request(source, store, folder, target):
    mine = Pgstow(source, folder)
    made = mine.run("backup", "--globals", "--role-passwords", db="shop")
    made.error_says("password hashes of 1 role", "not encrypted")
    meta = mine.metadata(made.id)
    assert meta["rolePasswords"] is True and [w for w in meta["warnings"] if "hashes" in w]
    # In an encrypted repository nobody can try to guess them: the one that is made, and the one that is there.
    key = {"PGSTOW_KEY_FILE": str(folder / "key")}
    for _ in range(2):
        hidden = mine.run("backup", "--encrypt", "--globals", "--role-passwords", "--repo", folder / "sealed", db="shop", env=key, repo=False)
        assert "hashes" not in hidden.stderr, hidden
    for path in mine.repo.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    out = mine.folder / "globals.sql"
    mine.run("export", made.id, "--format", "globals", "-o", out)
    assert out.stat().st_mode & 0o077 == 0 and "SCRAM-SHA-256$" in out.read_text()
    to = Pgstow(target, folder)
    to.run("restore", made.id, "--globals", "--no-tablespaces", db="shop")
    ask = "SELECT rolpassword FROM pg_authid WHERE rolname ~ 'Odd'"
    assert target.sql(ask) == source.sql(ask) != ""


def test_passwords_need_a_superuser(source, store):
    store.run("backup", "--globals", "--role-passwords", db=source.url("shop", user="deputy"),
              expect="DB_PERMISSION").error_says("superuser")  # fmt: skip
    store.run("backup", "--globals", db=source.url("shop", user="deputy"))


def test_export_runs_in_psql(source, store, target):
    script = store.run("export", store.bare, "--format", "globals", "-o", "-").stdout
    skipped = ("TABLESPACE", 'CREATE ROLE "postgres"', 'CREATE ROLE "needs_password"')
    spaceless = "\n".join(line for line in script.splitlines() if not any(word in line for word in skipped))
    target.sql("DROP ROLE differs; DROP ROLE same; CREATE DATABASE shop")
    target.sql(spaceless)
    before, after = answers(source), answers(target)
    for what in ("roles", "members", "settings"):
        assert before[what] == after[what]
    assert target.sql("SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase "
                      "WHERE datname = 'shop' AND setrole = 0") == "{work_mem=6MB}"  # fmt: skip


def test_all_or_no_role(source, store, target):
    """A role that may not be made: none is."""
    target.sql("CREATE ROLE small LOGIN CREATEROLE CREATEDB")
    to = Pgstow(target, store.folder)
    failed = to.run("restore", store.bare, "--globals", "--no-owner", "--no-privileges", "--no-tablespaces",
                    db=target.url("shop", user="small"), expect="DB_PERMISSION")  # fmt: skip
    failed.error_says("no role was made")
    assert target.sql("SELECT count(*) FROM pg_roles WHERE rolname IN ('plain', 'deputy', 'worker')") == "0"
    assert not target.exists("shop")


def test_a_backup_without_them(source, store, folder, target):
    mine = Pgstow(source, folder)
    backup = mine.backup("postgres")
    Pgstow(target, folder).run("restore", backup, "--globals", db="new", expect="NOT_FOUND").error_says("backup --globals")
    mine.run("export", backup, "--format", "globals", "-o", "-", expect="NOT_FOUND").error_says("backup --globals")
    assert "globals" not in json.loads(json.dumps(mine.metadata(backup)))
