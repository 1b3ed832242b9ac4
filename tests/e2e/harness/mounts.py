"""File systems of a test's own: small ones, and folders that can become read-only or vanish."""

import os
import subprocess
from pathlib import Path

import pytest


def needs_root():
    if os.geteuid() != 0:
        pytest.fail("this test mounts file systems: run it as root")


def mount(*args):
    subprocess.run(["mount", *map(str, args)], check=True)


class SmallDisk:
    """A tmpfs of so many bytes; `with` gives its folder."""

    def __init__(self, path, size):
        needs_root()
        self.path = Path(path)
        self.path.mkdir()
        mount("-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", self.path)

    def resize(self, size):
        mount("-o", f"remount,size={size}", self.path)

    def fill(self, name="ballast"):
        """Not one byte more fits, nor one more file."""
        with open(self.path / name, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass
        assert os.statvfs(self.path).f_bavail == 0

    def empty(self, name="ballast"):
        """What fill() took is free again."""
        (self.path / name).unlink()

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=True)


class Mounted:
    """A folder that is a mount: what is in it lies in another one, and stays when the mount goes."""

    def __init__(self, path, behind):
        needs_root()
        self.path, self.behind = Path(path), Path(behind)
        self.path.mkdir()
        self.behind.mkdir()
        self.bring()

    def bring(self):
        mount("--bind", self.behind, self.path)
        self.is_there = True

    def read_only(self, yes=True):
        mount("-o", f"remount,bind,{'ro' if yes else 'rw'}", self.path)

    def vanish(self):
        """As when a disk is pulled out; whoever has files of it open keeps them."""
        subprocess.run(["umount", "-l", self.path], check=True)
        self.is_there = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.is_there:
            self.vanish()
