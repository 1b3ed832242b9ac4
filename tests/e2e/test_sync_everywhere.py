"""Syncs that something befalls at every point that they pass, in each phase, and by chance: either service, either
PostgreSQL, the network. Afterwards the target holds all of it or nothing (harness/trials.py)."""

import collections
import contextlib
import os
import random
import signal
import subprocess
import time

import pytest

from harness import proxy
from harness.cluster import wait_until
from harness.mounts import SmallDisk
from harness.program import process_state
from harness.service import children
from harness.sites import Sites
from harness.trials import SQL, Trial, faulty, go_on, held, points

pytestmark = pytest.mark.slow
DIRECTION = pytest.mark.parametrize("direction", ["pull", "push"])
METHOD = pytest.mark.parametrize("method", ["backup", "http"])
# One of each phase; which of them a sync passes, and on which side, differs by direction and method.
PHASES = ("sync.planned", "backup.copied", "copy.pack", "sync.rows.sent", "sync.rows.written", "sync.target.safe", "merge.staged",
          "merge.written", "merge.verified", "merge.committed")  # fmt: skip


@pytest.fixture(scope="module")
def two(cluster, other_cluster, module_folder):
    made = Sites((cluster, other_cluster), module_folder, SQL, faults=True, safety=True)
    Trial(made, "pull").again()  # from here on only what differs is sent
    yield made
    made.close()


@pytest.mark.parametrize("which", ["a", "b"])
@METHOD
@DIRECTION
def test_killed_everywhere(two, module_folder, direction, method, which):
    """Either side, at each point that it passes, at its first and its last passing: the one who asks, the service and its
    jobs."""
    site, way = getattr(two, which), ("--method", method)
    counted = points(two, direction, module_folder, *way)[two.made.index(site)]
    tried, held = [], collections.Counter()
    for point, passing in [(point, n) for point, most in sorted(counted.items()) for n in sorted({1, most})]:
        trial = Trial(two, direction)
        print(f"{direction} by {method}, site {which}, {point}, passing {passing}", flush=True)
        setting = {"PGSTOW_FAULT": f"{point}:kill:{passing}"} if site is two.a else None
        with faulty(site, point, f"kill:{passing}") if site is two.b else contextlib.nullcontext():
            with trial.start(*way, env=setting) as running:
                while running.process.poll() is None:
                    if not two.b.is_running():
                        two.b.start()  # as systemd would; without that the other side asks for a minute
                    time.sleep(0.02)
                result = trial.ended(running.wait())
        held[trial.judge(result), result is not None and result.status == 0] += 1
        tried.append(point)
    print(f"{direction} by {method}, site {which}: {len(tried)} kills, (all is there, it said so): {dict(held)}")
    assert len(tried) >= 5
    Trial(two, direction).again(twice=True)


def each_phase(two, direction, way, folder):
    """(whose, point), where whoever works for this site is stopped once in each phase."""
    counted = points(two, direction, folder, *way)
    found = [(site, point) for site, seen in zip(two.made, counted) for point in PHASES if point in seen]
    assert len(found) >= 6, counted
    return found


@METHOD
@DIRECTION
def test_a_server_is_lost_in_each_phase(two, module_folder, direction, method):
    """kill -9 of either PostgreSQL, as when its host loses power; it comes back when the sync has ended."""
    way, outcomes = ("--method", method), collections.Counter()
    for whose, point in each_phase(two, direction, way, module_folder):
        for lost in two.made:
            trial = Trial(two, direction)
            print(f"{direction} by {method}, the server of {lost.name} lost at {point} of {whose.name}", flush=True)
            with held(two, trial, whose, point, *way):
                lost.lose_server()
            outcomes[trial.judge(trial.result), trial.result.status == 0] += 1
    print(f"{direction} by {method}, servers lost, (all is there, it said so): {dict(outcomes)}")
    assert outcomes[False, False] > 3
    Trial(two, direction).again(twice=True)


@METHOD
@DIRECTION
def test_the_network_is_cut_in_each_phase(two, module_folder, direction, method):
    """Nothing passes from some moment on: until it does again, which nobody notices; or until somebody has had enough."""
    way, outcomes = ("--method", method), collections.Counter()
    for whose, point in each_phase(two, direction, way, module_folder):
        for heals in (True, False):
            trial = Trial(two, direction)
            print(f"{direction} by {method}, cut at {point} of {whose.name}, {'heals' if heals else 'stays'}", flush=True)
            two.net.heal()
            with held(two, trial, whose, point, *way) as stopped:
                two.net.fail(proxy.CUT, of=proxy.BOTH)
                go_on(stopped)
                wait_until(lambda: two.net.failed.is_set() or trial.running.process.poll() is not None, "nobody needs the network")
                if heals:
                    two.net.heal()
                else:
                    trial.running.process.send_signal(signal.SIGTERM)
                while trial.running.process.poll() is None:  # what is begun anew passes the point again
                    go_on(pid for pid in children(whose.clock) if process_state(pid) == "T")
                    time.sleep(0.05)
            outcomes[trial.judge(trial.result, must=heals or None), trial.result.status == 0] += 1
    print(f"{direction} by {method}, cuts, (all is there, it said so): {dict(outcomes)}")
    assert outcomes[False, False] > 2
    Trial(two, direction).again(twice=True)


class Chance:
    """What befalls one trial, by chance. took: seconds of one that nothing befell, by direction and method: on a machine
    that is quick all of it is over soon."""

    def __init__(self, two, seed, took):
        self.two, self.dice = two, random.Random(seed)
        self.direction = self.dice.choice(["pull", "push"])
        self.what = self.dice.choice([self.cut, self.cut, self.stall, self.slow_line, self.refused, self.killed, self.killed,
                                      self.service_gone, self.site_gone, self.server_gone, self.disk_full, self.two_things])  # fmt: skip
        self.method = self.dice.choice(["backup", "backup", "http"])
        self.delay = self.dice.uniform(0, 1.1) * took[self.direction, self.method]

    def __str__(self):
        return f"{self.direction} by {self.method}, {self.what.__name__} after {self.delay:.2f} s"

    def site(self):
        return self.dice.choice(self.two.made)

    def befall(self, running):
        """While it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(self.delay)
        self.what(running)

    def cut(self, running):
        self.two.net.fail(self.dice.choice([proxy.CUT, proxy.RESET]), self.dice.randint(0, 300_000), proxy.PASS,
                          self.dice.choice([proxy.FROM, proxy.TO, proxy.BOTH]))  # fmt: skip

    def stall(self, running):
        self.two.net.fail(proxy.STALL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(self.dice.uniform(0, 3))
        self.two.net.heal()

    def refused(self, running):
        self.two.net.refuse()
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(self.dice.uniform(0, 3))
        self.two.net.heal()

    def slow_line(self, running):
        self.two.net.slow(200_000)

    def killed(self, running):
        running.process.kill()

    def service_gone(self, running):
        site = self.site()
        site.kill()
        site.start()

    def site_gone(self, running):
        site = self.site()
        site.kill_all()
        site.start()

    def server_gone(self, running):
        site = self.site()
        site.lose_server()
        site.back()

    def disk_full(self, running):
        disk = self.two.disks[self.dice.randint(0, 1)]
        disk.fill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(self.dice.uniform(0, 2))
        disk.empty()

    def two_things(self, running):
        for what in self.dice.sample([self.cut, self.service_gone, self.server_gone, self.refused], 2):
            what(running)


def test_a_hundred_times_by_chance(cluster, other_cluster, module_folder):
    """Anything, at any time, one after the other on the same two sites; after each the target is compared row by row.
    PGSTOW_TEST_SEED repeats the choices."""
    seed = int(os.environ.get("PGSTOW_TEST_SEED", random.SystemRandom().randint(1, 10**6)))
    where = module_folder / "chance"
    where.mkdir()
    where.chmod(0o755)
    two = Sites((cluster, other_cluster), where, SQL)
    two.disks = [SmallDisk(site.folder / "repo", "200m") for site in two.made]
    counts = collections.Counter()
    try:
        for disk in two.disks:
            disk.__enter__()
        Trial(two, "pull").again()
        took = {(way, method): Trial(two, way).run("--method", method).expect("OK").seconds
                for way in ("pull", "push") for method in ("backup", "http")}  # fmt: skip
        print({" by ".join(way): f"{seconds:.2f} s" for way, seconds in took.items()})
        for n in range(int(os.environ.get("PGSTOW_TEST_RUNS", 100))):
            chance = Chance(two, f"{seed}/{n}", took)
            trial = Trial(two, chance.direction)
            print(f"seed {seed}, {n}: {chance}", flush=True)
            with trial.start("--method", chance.method, safety=chance.dice.choice([True, False])) as running:
                chance.befall(running)
                result = trial.ended(running.wait(200))
            held, said = trial.judge(result), result is not None and result.status == 0
            counts[held, said] += 1
            print(f"    {'all' if held else 'nothing'}, {'it said so' if said == held else 'and it said otherwise, or nothing'}", flush=True)
            if n % 10 == 9:
                trial.again(twice=True)
        print(f"seed {seed}, (all is there, it said so): {dict(counts)}")
    finally:
        two.close()
        for disk in two.disks:
            disk.__exit__()
    assert counts[True, True] > 10 and counts[False, False] > 10, counts
