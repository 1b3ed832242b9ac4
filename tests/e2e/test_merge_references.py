"""restore --merge: foreign keys and triggers."""

# ------------------------------------------------------------------------ foreign keys

def test_cycles_self_references_and_order(pair):
    """Rows that refer to each other, in tables whose names are in the wrong order, all not deferrable."""
    p = pair("""CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a);
        ALTER TABLE a ADD CONSTRAINT a_b FOREIGN KEY (b) REFERENCES b;
        CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree, v int);
        CREATE TABLE z_parent (id int PRIMARY KEY); CREATE TABLE y_child (id int PRIMARY KEY, p int REFERENCES z_parent ON DELETE RESTRICT);
        INSERT INTO a VALUES (1, NULL), (2, NULL); INSERT INTO b VALUES (1, 1), (2, 2); UPDATE a SET b = 3 - id;
        INSERT INTO tree VALUES (1, NULL, 0), (2, 1, 0), (3, 2, 0); INSERT INTO z_parent VALUES (1), (2); INSERT INTO y_child VALUES (1, 1), (2, 2)""")
    p.change("""UPDATE a SET b = NULL; DELETE FROM b; DELETE FROM a WHERE id = 1; INSERT INTO a VALUES (3, NULL); INSERT INTO b VALUES (3, 2), (4, 3);
        UPDATE a SET b = 7 - id - 0 WHERE id = 3; UPDATE a SET b = 3 WHERE id = 2;
        UPDATE tree SET up = NULL WHERE id = 3; DELETE FROM tree WHERE id < 3; INSERT INTO tree VALUES (0, 3, 0), (9, 0, 0); UPDATE tree SET up = 9 WHERE id = 3;
        INSERT INTO z_parent VALUES (3); UPDATE y_child SET p = 3; DELETE FROM z_parent WHERE id < 3""")
    p.merge("mirror")
    p.assert_same()  # also that the constraints are as they were
    p.again("mirror")


def test_cascades_lose_no_row(pair):
    """A parent goes, its children have another one meanwhile: they stay."""
    p = pair("""CREATE TABLE p (id int PRIMARY KEY, v text);
        CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);
        CREATE TABLE n (id int PRIMARY KEY, p int DEFAULT 9 REFERENCES p ON DELETE SET NULL);
        CREATE TABLE d (id int PRIMARY KEY, p int DEFAULT 9 REFERENCES p ON DELETE SET DEFAULT);
        CREATE TABLE g (id int PRIMARY KEY, c int REFERENCES c ON DELETE CASCADE);
        INSERT INTO p VALUES (1), (2), (9); INSERT INTO c VALUES (1, 1), (2, 2); INSERT INTO n VALUES (1, 1); INSERT INTO d VALUES (1, 1);
        INSERT INTO g VALUES (1, 1), (2, 2)""")
    p.change("INSERT INTO p VALUES (3); UPDATE c SET p = 3 WHERE p = 1; UPDATE n SET p = 3; UPDATE d SET p = 3; DELETE FROM p WHERE id = 1",
             "ALTER TABLE c ADD mine text; UPDATE c SET mine = 'm' || id")  # fmt: skip
    p.merge("mirror")
    assert p.rows("SELECT * FROM c ORDER BY id") == ["1|3|m1", "2|2|m2"]
    assert p.rows("SELECT * FROM g ORDER BY id") == ["1|1", "2|2"] and p.rows("SELECT * FROM n, d") == ["1|3|1|3"]
    assert p.rows("SELECT string_agg(confdeltype, '' ORDER BY conname) FROM pg_constraint WHERE contype = 'f'") == ["cdcn"]


def test_what_only_the_target_has_goes_along(pair):
    """Rows of the target's own follow what their key says: deleted, emptied, renamed."""
    p = pair("""CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE);
        CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);
        CREATE TABLE g (id int PRIMARY KEY, c int REFERENCES c ON DELETE CASCADE);
        CREATE TABLE n (id int PRIMARY KEY, p int REFERENCES p ON DELETE SET NULL);
        CREATE TABLE r (id int PRIMARY KEY, code text REFERENCES p (code) ON UPDATE CASCADE);
        INSERT INTO p VALUES (1, 'a'), (2, 'b')""")
    p.merge("mirror")
    p.change("DELETE FROM p WHERE id = 1; UPDATE p SET code = 'B' WHERE id = 2",
             """INSERT INTO c VALUES (1, 1), (2, 2); INSERT INTO g VALUES (1, 1), (2, 2); INSERT INTO n VALUES (1, 1), (2, 2);
             INSERT INTO r VALUES (2, 'b')""")  # fmt: skip
    merged = p.merge("mirror", "--on-conflict", "target")
    assert merged.counts("p") == {"updated": 1, "deleted": 1}
    assert [merged.counts(t).get("cascaded") for t in "cnr"] == [1, 1, 1]
    assert p.rows("SELECT * FROM c") == ["2|2"] and p.rows("SELECT * FROM g") == ["2|2"]
    assert p.rows("SELECT * FROM n ORDER BY id") == ["1|", "2|2"] and p.rows("SELECT * FROM r") == ["2|B"]


def test_what_would_dangle_is_refused(pair):
    p = pair("""CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p); INSERT INTO p VALUES (1), (2)""")
    p.merge("mirror")
    p.change("DELETE FROM p WHERE id = 1", "INSERT INTO c VALUES (1, 1)")
    p.refused("DB", "mirror", "--on-conflict", "target").says("c_p_fkey")
    assert p.merge("mirror").counts() == {"deleted": 2, "unchanged": 1, "conflicts": 1}
    p.assert_same()


def test_deferred_and_unvalid_constraints(pair):
    p = pair("""CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2);
        CREATE TABLE c (id int PRIMARY KEY, p int); INSERT INTO c VALUES (1, 1), (2, 2), (3, 77);
        ALTER TABLE c ADD CONSTRAINT late FOREIGN KEY (p) REFERENCES p ON DELETE CASCADE NOT VALID;
        CREATE TABLE d (id int PRIMARY KEY, p int REFERENCES p DEFERRABLE INITIALLY IMMEDIATE); INSERT INTO d VALUES (1, 1)""")
    p.change("INSERT INTO p VALUES (3); UPDATE c SET p = 3 WHERE p = 1; UPDATE d SET p = 3; DELETE FROM p WHERE id = 1")
    p.merge("mirror")
    p.assert_same()
    assert p.rows("SELECT * FROM c WHERE id = 3") == ["3|77"]


# ------------------------------------------------------------------------ triggers

TRIGGERS = """CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE log (id serial PRIMARY KEY, what text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO public.log (what) VALUES (TG_NAME || ' ' || TG_OP); RETURN coalesce(NEW, OLD); END $$;
    CREATE TRIGGER a_on AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER b_off BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE t DISABLE TRIGGER b_off;
    CREATE TRIGGER c_replica BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE t ENABLE REPLICA TRIGGER c_replica;
    CREATE TRIGGER d_always AFTER UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION note(); ALTER TABLE t ENABLE ALWAYS TRIGGER d_always;
    CREATE CONSTRAINT TRIGGER e_late AFTER UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();
    INSERT INTO t VALUES (1, 'a'); DELETE FROM log"""


def test_triggers_are_off_and_then_as_they_were(pair):
    p = pair(TRIGGERS)
    ask = "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
    before = p.rows(ask)
    assert before == ["a_on|O", "b_off|D", "c_replica|R", "d_always|A", "e_late|O"]
    p.change("UPDATE t SET v = 'new'; INSERT INTO t VALUES (2, 'two')")
    p.merge("upsert", "--table", "t")
    assert p.rows("SELECT * FROM log") == [] and p.rows(ask) == before
    p.change("UPDATE t SET v = 'newer' WHERE id = 1")
    p.merge("upsert", "--table", "t", "--triggers")
    assert p.rows("SELECT what FROM log ORDER BY what") == ["a_on UPDATE", "d_always UPDATE", "e_late UPDATE"]
    assert p.rows(ask) == before


def test_triggers_of_partitions(pair):
    p = pair("""CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);
        CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20); CREATE TABLE log (what text);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log VALUES (TG_TABLE_NAME); RETURN NEW; END $$;
        CREATE TRIGGER every AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
        CREATE TRIGGER own BEFORE UPDATE ON t2 FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE ONLY t1 ENABLE ALWAYS TRIGGER every;
        INSERT INTO t VALUES (1, 'a'), (11, 'b')""")
    ask = "SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE tgname IN ('every', 'own') ORDER BY 1, 2"
    before = p.rows(ask)
    p.change("ALTER TABLE t DISABLE TRIGGER every; ALTER TABLE t2 DISABLE TRIGGER own; UPDATE t SET v = 'new'")
    p.merge("upsert", "--table", "t")
    assert p.rows("SELECT * FROM log") == [] and p.rows("SELECT v FROM t") == ["new", "new"] and p.rows(ask) == before
