"""What the tests of the packages share: the packages (./dev deb), and a fresh Debian."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from root import Root

SOURCE = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def packages():
    """The folder of what ./dev deb has built."""
    folder = Path(os.environ.get("PGSTOW_PACKAGES", SOURCE / "build-deb"))
    assert list(folder.glob("pgstow_*.deb")), f"there are no packages in {folder}: ./dev deb makes them"
    return folder


@pytest.fixture(scope="session")
def work():
    assert os.geteuid() == 0, "containers need root"
    folder = Path(tempfile.mkdtemp(prefix="pgstow-packages-", dir="/var/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def base(work):
    """A Debian with nothing in it: what containers begin with."""
    given = os.environ.get("PGSTOW_TEST_ROOT")
    return Root(given) if given else Root.make(work / "base")


@pytest.fixture(scope="session")
def source():
    return SOURCE
