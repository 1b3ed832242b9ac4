"""The packages, installed in a fresh Debian that runs in a container with systemd, used there as an administrator would, and
purged. The tests go on from each other, in this order."""

import json
import re
import shutil
import subprocess

import pytest
from root import wait_until

EXPOSURE = 15  # in tenths, of what `systemd-analyze security` counts; 100 is all
NEEDED = ["systemd-sysv", "postgresql", "sudo", "curl", "jq", "python3", "gcc", "libc6-dev", "pkg-config"]
STATIC = ["libpq-dev", "libssl-dev", "libsodium-dev", "libzstd-dev", "zlib1g-dev", "liblz4-dev", "libjansson-dev", "libyaml-dev",
          "libsqlite3-dev", "libcurl4-openssl-dev"]  # fmt: skip
SHOP = """CREATE DATABASE shop;
\\c shop
CREATE TABLE item (id int PRIMARY KEY, t text NOT NULL);
INSERT INTO item SELECT g, md5(g::text) FROM generate_series(1, 20000) g;
CREATE ROLE net LOGIN PASSWORD 'from the environment' IN ROLE pg_read_all_data;
ALTER ROLE postgres PASSWORD 'an admin''s';"""
ADMIN, PASSWORD = "postgresql://postgres@127.0.0.1/shop", {"PGPASSWORD": "an admin's"}
ENTRIES = """
databases:
- {name: local, url: "postgresql:///shop"}
- {name: net, url: "postgresql://net@127.0.0.1/shop"}
"""
SETTINGS = 'backup: {enabled: true, backupDir: %s, schedule: "30 2 * * *"}\n' + ENTRIES


@pytest.fixture(scope="module")
def installed(base, packages, work):
    """The packages by apt, from files, as a person would have them."""
    root = base.copy(work / "installed")
    shutil.copytree(packages, root.folder / "packages", ignore=lambda _, names: [n for n in names if not n.endswith(".deb")])
    root.run("apt-get -q update && apt-get -q install -y --no-install-recommends " + " ".join(NEEDED + STATIC))
    root.before = names_of_pgstow(root.run)
    root.said = root.run("apt-get -q install -y /packages/pgstow_*.deb /packages/libpgstow*.deb").stdout
    return root


@pytest.fixture(scope="module")
def host(installed):
    with installed.boot() as host:
        wait_until(lambda: host.run("pg_isready", status=None).status == 0,
                   lambda: (installed.folder.parent / "installed.log").read_text()[-3000:])  # fmt: skip
        yield host


def names_of_pgstow(run):
    return run("find / -xdev -name '*pgstow*' -not -path '/packages/*' | sort").stdout.splitlines()


def pgstow(host, *words, **kwargs):
    return host.run(["pgstow", *words], user="pgstow", **kwargs)


def settings(host, text):
    host.run("cat >/etc/pgstow/pgstow.yaml", input=text)


def show(host, field):
    return host.run(["systemctl", "show", "--value", "--property", field, "pgstow"]).stdout.strip()


def is_up(host):
    return host.run("curl -fs http://127.0.0.1:8080/healthz", status=None).status == 0


def journal(host):
    return host.run("journalctl -u pgstow --no-pager | tail -50").stdout


def api(host, *args, example="api.sh", token, status=0):
    return host.run([f"/usr/share/doc/pgstow/examples/{example}", *args], env={"PGSTOW_TOKEN": token}, cwd="/tmp", status=status)


# ---------------------------------------------------------------- the packages


def test_lintian_has_nothing_to_say(packages):
    changes = list(packages.glob("*.changes"))
    assert len(changes) == 1
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", *changes], capture_output=True, text=True)
    assert done.returncode == 0 and not re.search(r"^[EW]:", done.stdout, re.M), done.stdout + done.stderr


def test_one_version(packages, source, installed):
    version = re.search(r"version: '(.*)'", (source / "meson.build").read_text())[1]
    assert all(f"_{version}_" in deb.name for deb in packages.glob("*.deb"))
    assert version in installed.run("pgstow --version").stdout
    assert installed.run("pkg-config --modversion pgstow").stdout.strip() == version


def test_no_fault_points_are_in_them(installed):
    for file in ("/usr/bin/pgstow", "/usr/lib/x86_64-linux-gnu/libpgstow.so.0", "/usr/lib/x86_64-linux-gnu/libpgstow.a"):
        path = next(installed.folder.glob(file[1:].replace("x86_64-linux-gnu", "*")))
        assert b"PGSTOW_FAULT" not in path.read_bytes(), path


def test_the_unit_is_well_formed_and_tight(installed):
    done = installed.run("systemd-analyze verify --man=no pgstow.service 2>&1")
    assert not done.stdout.strip(), done
    score = installed.run(f"systemd-analyze security --offline=true --threshold={EXPOSURE} --no-pager pgstow.service")
    print(score.last)


def test_nothing_runs_after_installing(host):
    assert host.run("systemctl is-enabled pgstow", status=1).last == "disabled"
    assert show(host, "ActiveState") == "inactive"
    assert host.run("stat -c '%U:%G %a' /var/lib/pgstow").last == "pgstow:pgstow 700"
    assert host.run("stat -c '%U %a %n' /etc/pgstow/*").stdout.split() == [
        "root", "600", "/etc/pgstow/pgstow.env", "root", "644", "/etc/pgstow/pgstow.yaml"]  # fmt: skip
    assert host.run("getent passwd pgstow").last.split(":")[5:] == ["/var/lib/pgstow", "/usr/sbin/nologin"]


def test_the_settings_as_they_come(host):
    """They are all right, with and without their #; and enable nothing."""
    check = "pgstow config check --config"
    host.run(f"{check} /etc/pgstow/pgstow.yaml")
    assert json.loads(host.run("pgstow schedule list --json").stdout)["schedules"] == []
    host.run(f"sed 's/^#\\([a-z]\\|  \\)/\\1/' /etc/pgstow/pgstow.yaml >/tmp/all.yaml && {check} /tmp/all.yaml")
    listed = json.loads(host.run("pgstow schedule list --json --config /tmp/all.yaml").stdout)["schedules"]
    assert [s["name"] for s in listed] == ["backup", "verify"]


def test_man_page_and_completion(host):
    assert host.run("zcat /usr/share/man/man1/pgstow.1.gz").stdout.startswith(".")
    host.run(["bash", "-c", ". /usr/share/bash-completion/completions/pgstow && complete -p pgstow"])


# ---------------------------------------------------------------- by hand


def test_the_command_line(host):
    host.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1"], user="postgres", input=SHOP)
    host.run("createuser --role=pg_read_all_data pgstow", user="postgres")
    settings(host, "database: {url: postgresql:///shop}\nbackup: {backupDir: /var/lib/pgstow/backups}\n")
    pgstow(host, "doctor")
    made = pgstow(host, "backup").last
    assert made in pgstow(host, "list").stdout
    pgstow(host, "verify", "--level", "data")
    pgstow(host, "restore", made, "--db", ADMIN, "--to-db", "copy", env=PASSWORD)
    sums = [host.run(["psql", "-AXtq", "-d", name, "-c", "SELECT count(*), md5(string_agg(item::text, '' ORDER BY id)) FROM item"],
                     user="postgres").stdout for name in ("shop", "copy")]  # fmt: skip
    assert sums[0] == sums[1] and sums[0].startswith("20000|")


def test_cron(host, source):
    """The lines of the example, as the user that they name."""
    lines = (source / "packaging/cron.d-example").read_text().splitlines()
    lines = [line.split(None, 6) for line in lines if line[:1].isdigit()]
    assert len(lines) == 3
    for line in lines:
        done = host.run(line[6], user=line[5])
        assert not done.stdout and not done.stderr, done


def test_a_program_in_c(host):
    """Against the shared library, and against the static one."""
    examples = "/usr/share/doc/libpgstow-dev/examples"
    host.run(f"cc -Wall -Werror {examples}/embed.c $(pkg-config --cflags --libs pgstow) -o /tmp/embed")
    host.run(f"cc -Wall -Werror {examples}/inspect.c $(pkg-config --cflags --libs pgstow) -o /tmp/inspect")
    assert "libpgstow.so.0" in host.run("ldd /tmp/embed").stdout
    host.run(["/tmp/embed", ADMIN, "/tmp/embedded", "embedded"], user="pgstow", env=PASSWORD)
    report = host.run(["/tmp/inspect", "postgresql:///shop", "/var/lib/pgstow/backups"], user="pgstow")
    assert json.loads(report.stdout.splitlines()[0])["isValid"]


def test_a_program_in_c_with_the_static_library(host):
    libraries = host.run("pkg-config --static --libs pgstow").stdout.replace("-lpgstow", "-Wl,-Bstatic -lpgstow -Wl,-Bdynamic")
    host.run(f"cc /usr/share/doc/libpgstow-dev/examples/embed.c {libraries.strip()} -o /tmp/static")
    assert "libpgstow" not in host.run("ldd /tmp/static").stdout
    host.run(["/tmp/static", ADMIN, "/tmp/embedded2", "embedded2"], user="pgstow", env=PASSWORD)


# ---------------------------------------------------------------- the service


@pytest.fixture(scope="module")
def token(host):
    """An operator's, of the service as it is enabled by hand; the folder for its backups is the one of the package."""
    settings(host, SETTINGS % "/var/lib/pgstow/backups")
    host.run("printf 'PGPASSWORD=from the environment\\n' >>/etc/pgstow/pgstow.env")
    made = pgstow(host, "token", "add", "test", "--role", "operator", "--quiet").last
    host.run(["pgstow", "token", "add", "root", "--role", "viewer"], status=33)  # root is told to be pgstow
    host.run("systemctl enable --now pgstow")
    return made


def test_the_service_backs_up(host, token):
    """It is ready when systemctl comes back: READY=1. Its jobs have the secrets of pgstow.env."""
    assert is_up(host), journal(host)
    for entry in ("local", "net"):
        made = api(host, entry, token=token).last
        assert made in pgstow(host, "list").stdout
    file = api(host, "net", example="api.py", token=token).last
    assert "TABLE DATA public item" in host.run(["pg_restore", "--list", f"/tmp/{file}"]).stdout
    jobs = json.loads(pgstow(host, "jobs", "--json").stdout)["jobs"]
    assert {j["status"] for j in jobs} == {"succeeded"} and jobs[0]["actor"] == "test"
    host.run(["psql", "-qX"], user="postgres", input="DROP DATABASE copy")
    made = json.loads(host.run(["curl", "-s", "-H", f"Authorization: Bearer {token}", "http://127.0.0.1:8080/api/v1/backups"]).stdout)
    pgstow(host, "restore", made["backups"][0]["id"], "--db", ADMIN, "--to-db", "copy", env=PASSWORD)


def test_what_the_unit_forbids(host, token):
    """By the kernel's word: no capability, no new privileges, a filter of system calls, and a disk that is read-only."""
    pid = show(host, "MainPID")
    status = dict(re.findall(r"(\w+):\t(.*)", host.run(["cat", f"/proc/{pid}/status"]).stdout))
    assert {status[f"Cap{kind}"].strip("0") for kind in ("Prm", "Eff", "Bnd", "Amb")} == {""}
    assert (status["NoNewPrivs"], status["Seccomp"], status["Umask"]) == ("1", "2", "0077")
    mounts = host.run(["cat", f"/proc/{pid}/mounts"]).stdout
    options = {line.split()[1]: line.split()[3].split(",") for line in mounts.splitlines()}
    assert "ro" in options["/"] and "rw" in options["/var/lib/pgstow"]


def test_a_folder_elsewhere_needs_a_drop_in(host, token):
    host.run("install -d -o pgstow -g pgstow -m 0700 /srv/backups")
    settings(host, SETTINGS % "/srv/backups")
    host.run("systemctl reload pgstow")
    wait_until(lambda: "read anew" in journal(host), lambda: journal(host))
    refused = api(host, "local", token=token, status=1)
    assert "failed" in refused.stderr, refused
    host.run("mkdir -p /etc/systemd/system/pgstow.service.d && "
             "printf '[Unit]\\nStartLimitIntervalSec=0\\n[Service]\\nReadWritePaths=/srv/backups\\nWatchdogSec=2\\nRestartSec=0\\n' "
             ">/etc/systemd/system/pgstow.service.d/override.conf && systemctl daemon-reload && systemctl restart pgstow")  # fmt: skip
    api(host, "local", token=token)


def test_a_service_that_hangs_or_dies_is_started_anew(host, token):
    """By the drop-in of above the watchdog waits for 2 seconds: also fed in the tests before."""
    assert show(host, "NRestarts") == "0"
    for times, signal in enumerate(("STOP", "KILL"), 1):
        host.run(f"kill -{signal} {show(host, 'MainPID')}")
        wait_until(lambda: show(host, "NRestarts") == str(times) and is_up(host), lambda: journal(host))
    api(host, "local", token=token)


def test_wrong_settings_are_not_tried_again(host, token):
    settings(host, "backup: {wrong: 1}\n")
    host.run("systemctl restart pgstow", status=1)
    assert show(host, "Result") == "exit-code" and show(host, "ActiveState") == "failed"
    settings(host, SETTINGS % "/srv/backups")
    host.run("systemctl start pgstow")


# ---------------------------------------------------------------- upgrade and end


def test_an_upgrade_restarts_what_runs(host, token):
    before = show(host, "MainPID")
    host.run("dpkg -i /packages/pgstow_*.deb")
    assert show(host, "MainPID") not in (before, "0") and is_up(host)
    host.run("systemctl disable --now pgstow && dpkg -i /packages/pgstow_*.deb")
    assert show(host, "ActiveState") == "inactive"
    assert "30 2" in host.run("cat /etc/pgstow/pgstow.yaml").stdout


def test_purge_leaves_backups(installed, host, token):
    """And nothing else but the user, whom they belong to, and what the administrator has written."""
    host.run("systemctl enable --now pgstow && apt-get -q purge -y pgstow libpgstow0 libpgstow-dev")
    assert not is_up(host) and host.run("systemctl is-active pgstow", status=None).last == "inactive"
    left = [name for name in names_of_pgstow(host.run) if name not in installed.before]
    assert [n for n in left if not n.startswith("/var/lib/dpkg/")] == [
        "/etc/systemd/system/pgstow.service.d", "/var/lib/pgstow"], left  # fmt: skip
    assert host.run("ls -A /var/lib/pgstow").stdout.split() == ["backups"]
    assert host.run("ls /var/lib/pgstow/backups/backups").stdout and host.run("ls /srv/backups/backups").stdout
