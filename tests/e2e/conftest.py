"""Fixtures of the end-to-end tests. See tests/README.md."""

import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness.api import Api  # noqa: E402
from harness.cluster import E2E, Cluster, scratch_folder  # noqa: E402
from harness.merging import Pair  # noqa: E402
from harness.program import Pgstow, program  # noqa: E402
from harness.receivers import authority, smtp, web  # noqa: E402, F401
from harness.sites import Sites  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: minutes long; run by ./dev fault")
    # A polite end of the test run must stop the servers too.
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))


@pytest.fixture(scope="session")
def cluster():
    """The one server that most tests share. Databases are named by cluster.fresh_name()."""
    server = Cluster(copied="one")
    server.load(E2E / "fidelity_globals.sql", "postgres")
    yield server
    server.destroy()


@pytest.fixture(scope="session")
def other_cluster():
    """The server of a second site: with a system identifier of its own."""
    server = Cluster(copied="other")
    yield server
    server.destroy()


@pytest.fixture(scope="session")
def scratch():
    """A folder for the whole run."""
    folder = scratch_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder(scratch):
    """A folder of the test's own; gone afterwards, since repositories can be large."""
    path = Path(tempfile.mkdtemp(dir=scratch))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def module_folder(scratch):
    path = Path(tempfile.mkdtemp(dir=scratch))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def api(cluster, module_folder):
    """A service with its API, two databases, and a token of each role."""
    made = Api(cluster, module_folder)
    yield made
    made.stop()
    cluster.drop(*made.names)


@pytest.fixture
def pgstow(cluster, folder):
    """The program, with a repository that does not exist yet."""
    return Pgstow(cluster, folder)


@pytest.fixture
def pgstow_faults(cluster, folder):
    """The same with fault points."""
    return Pgstow(cluster, folder, binary=program("pgstow-faults", "PGSTOW_FAULTS_BIN"))


@pytest.fixture
def database(cluster):
    """Makes databases and drops them again: database(sql=..., name=..., template=...)."""
    made = []

    def make(sql=None, name=None, template="template0"):
        made.append(cluster.create(name, template, sql))
        return made[-1]

    make.later = made.append  # for databases that the program makes
    yield make
    cluster.drop(*made)


@pytest.fixture
def sites(cluster, other_cluster, folder):
    """Makes two sites that are each other's peer: see harness/sites.py."""
    made = []

    def make(of_a, of_b=None, **kwargs):
        made.append(Sites((cluster, other_cluster), tempfile.mkdtemp(dir=folder), of_a, of_b, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.close()


SHOP = """
CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL, note text);
CREATE TABLE item (id int PRIMARY KEY, customer int NOT NULL REFERENCES customer, price numeric(10,2), t text);
CREATE TABLE empty_one (a int);
CREATE SEQUENCE counter;
CREATE VIEW rich AS SELECT c.name, sum(i.price) AS total FROM customer c JOIN item i ON i.customer = c.id GROUP BY 1;
INSERT INTO customer SELECT g, 'name ' || g, md5(g::text) FROM generate_series(1, 500) g;
INSERT INTO item SELECT g, 1 + g % 500, g * 0.25, md5(g::text) || md5((g + 1)::text)
    FROM generate_series(1, 8000) g;
SELECT setval('counter', 12345);
SELECT lo_from_bytea(77001, 'a large object');
"""


@pytest.fixture(scope="session")
def shop_template(cluster):
    """A small shop to copy databases from."""
    return cluster.create("shop_template", sql=SHOP)


@pytest.fixture
def shop(database, shop_template):
    """A database of 8,500 rows in three tables, of the test's own."""
    return database(template=shop_template, name=None)


@pytest.fixture
def pair(cluster, pgstow, database):
    """A source and a target of the same SQL, or of two."""
    return lambda sql, target_sql=None: Pair(cluster, pgstow, database, sql, target_sql)
