"""Small file systems of a test's own."""

import os
import subprocess
from pathlib import Path

import pytest


def needs_root():
    if os.geteuid() != 0:
        pytest.fail("this test mounts a small file system: run it as root")


class SmallDisk:
    """A tmpfs of so many bytes."""

    def __init__(self, path, size):
        needs_root()
        self.path = Path(path)
        self.path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", self.path], check=True)

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=True)
