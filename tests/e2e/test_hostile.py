"""The service under attack: hostile requests without end, and clients that never end. It must neither crash nor
leak nor grow, answer others meanwhile, and know the same afterwards. Under the address sanitizer (./dev sanitize) this
is also what looks for wrong memory and leaks."""

import os
import time

import pytest
from harness.api import Api
from harness.cluster import wait_until
from harness.hostile import REGISTRATION, Attack, Slow

SHORT, LONG = 3000, int(os.environ.get("PGSTOW_TEST_REQUESTS", 100_000))
SANITIZED = "ASAN_OPTIONS" in os.environ  # which keeps what is freed for a while, and finds leaks at the end
GROWTH = 8 << 20  # bytes, beyond what it had when all of its threads had once been there
OPEN = (1 << 20) if {"ASAN_OPTIONS", "TSAN_OPTIONS"} & set(os.environ) else 200 << 10  # of each: sanitizers' stacks are large


@pytest.fixture(scope="module")
def api(cluster, module_folder):
    # What the sanitizer keeps of freed memory would look as if it grew.
    was = os.environ.get("ASAN_OPTIONS")
    os.environ["ASAN_OPTIONS"] = ":".join(filter(None, [was, "quarantine_size_mb=8"]))
    try:
        made = Api(cluster, module_folder, env={"SYNC_REGISTRATION_KEY": REGISTRATION})
    finally:
        os.environ.pop("ASAN_OPTIONS") if was is None else os.environ.update(ASAN_OPTIONS=was)
    made.backup("e0")
    yield made
    made.stop()  # with status 0: nothing was leaked either
    cluster.drop(*made.names)


def resident(api):
    with open(f"/proc/{api.running.process.pid}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def threads(api):
    return len(os.listdir(f"/proc/{api.running.process.pid}/task"))


@pytest.fixture
def unharmed(api):
    """Before and after: what there is, and how many threads there are."""
    known = [api.get("/api/v1/backups"), api.rows("SELECT count(*) FROM job"), api.rows("SELECT count(*) FROM token")]
    calm = threads(api)
    yield
    assert api.is_up()
    assert known == [api.get("/api/v1/backups"), api.rows("SELECT count(*) FROM job"), api.rows("SELECT count(*) FROM token")]
    wait_until(lambda: threads(api) <= calm + 2, "threads of connections are left", 90)


def attack(api, requests):
    Attack(api, 1000, seed="warm").run()
    before, began = resident(api), time.monotonic()
    done = Attack(api, requests, seed=requests)
    done.run()
    print(f"{done.sent:,} requests, {done.answered:,} answers, {time.monotonic() - began:.0f} s;"
          f" memory {before >> 20} MB before, {resident(api) >> 20} MB after")  # fmt: skip
    assert done.sent >= requests * 0.99 and done.answered > requests / 10
    if not SANITIZED:
        assert resident(api) - before < GROWTH


def test_hostile_requests(api, unharmed):
    attack(api, SHORT)


def test_others_are_served_beside_slow_clients(api, unharmed):
    before = resident(api)
    slow = Slow(api, 200)
    try:
        assert slow.creep() == 200
        for _ in range(20):
            assert api.get("/api/v1/backups")["backups"] and api.is_up()
            slow.creep()
        assert resident(api) - before < 200 * OPEN + GROWTH
    finally:
        slow.close()


@pytest.mark.slow
def test_a_hundred_thousand_hostile_requests(api, unharmed):
    attack(api, LONG)


@pytest.mark.slow
def test_slow_clients_are_cut_off(api, unharmed):
    """Within the limits of docs/api.md: 20 s for a request, 60 s for its answer."""
    slow = Slow(api, 200)
    try:
        readers = sum(kind == 2 for _, kind in slow.sockets)

        def only_readers():
            assert api.get("/api/v1/backups")["backups"]
            return slow.creep() <= readers

        wait_until(only_readers, "who sends slowly is not cut off", 60)
        time.sleep(65)
        assert api.is_up() and slow.readers_cut_off() == readers
    finally:
        slow.close()
