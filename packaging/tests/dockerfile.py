"""Carries out a Dockerfile in private roots, instruction by instruction, where there is no container engine. It knows those that
ours has; another one is an error."""

import json
import re
import shlex
import shutil
import subprocess


def instructions(text):
    """(word, rest) of each, with continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.M)
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line.strip():
            word, rest = line.split(None, 1)
            yield word, rest.strip()


class Stage:
    """What an instruction changes."""

    def __init__(self, root):
        self.root, self.user, self.cwd, self.env = root, "root", "/", {}
        self.entrypoint, self.command, self.health, self.volumes = [], [], None, []

    def run(self, command):
        return self.root.run(command, user=self.user, env=self.env, cwd=self.cwd)


def words(rest):
    """The exec form only: what is started is no shell's child."""
    found = json.loads(rest)
    assert all(isinstance(word, str) for word in found), rest
    return found


def copy(stage, sources, target, context, excluded):
    """Of files by pattern, or of the whole context, into a folder or as a file."""
    to = stage.root.folder / target.lstrip("/")
    (to if target.endswith("/") or sources == ["."] else to.parent).mkdir(parents=True, exist_ok=True)
    for source in sources:
        found = [context] if source == "." else sorted(context.glob(source.lstrip("/")))
        assert found, f"COPY {source} finds nothing"
        if source == ".":
            tar = ["tar", "-c", f"--directory={context}", *(f"--exclude=./{name}" for name in excluded), "."]
            packed = subprocess.Popen(tar, stdout=subprocess.PIPE)
            subprocess.run(["tar", "-x", f"--directory={to}", "--no-same-owner"], stdin=packed.stdout, check=True)
            assert packed.wait() == 0
        else:
            for file in found:
                shutil.copy(file, to / file.name if to.is_dir() else to)


def build(file, context, image, folder):
    """image: the root that stands for FROM an image. Returns the last stage."""
    ignored = file.with_name(file.name + ".dockerignore").read_text().split()
    stages = {}
    for word, rest in instructions(file.read_text()):
        if word == "FROM":
            found = re.fullmatch(r"debian:12-slim(?: AS (\w+))?", rest)
            assert found, rest
            name = found[1] or "image"
            stage = stages[name] = Stage(image.copy(folder / name))
        elif word == "RUN":
            stage.run(rest)
        elif word == "COPY":
            given = shlex.split(rest)
            origin = re.fullmatch(r"--from=(\w+)", given[0])
            *sources, target = given[1:] if origin else given
            copy(stage, sources, target, stages[origin[1]].root.folder if origin else context, [] if origin else ignored)
        elif word == "ENV":
            stage.env.update([rest.split("=", 1)])
        elif word == "USER":
            stage.user = rest
        elif word == "WORKDIR":
            stage.cwd = rest
            stage.root.run(["mkdir", "-p", rest])
        elif word == "HEALTHCHECK":
            stage.health = rest.split(" CMD ", 1)[1].strip()
        elif word == "ENTRYPOINT":
            stage.entrypoint = words(rest)
        elif word == "CMD":
            stage.command = words(rest)
        elif word == "VOLUME":
            stage.volumes.append(rest)
        else:
            assert word == "EXPOSE", f"this test does not know {word}"
    return stage
