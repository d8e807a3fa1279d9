"""What tests of stages on executors share: a pipeline in a project, and which functions ran, in which process."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from world import World

PIPE = """\
import os
import datatool

def ran(name):
    with open({log!r}, "a") as file:
        file.write(f"{{name}} {{os.getpid()}}\\n")

@datatool.stage(raw=datatool.File("raw.txt"), format="json")
def words(raw):
    ran("words")
    return raw.read_text().split()

@datatool.stage(found=words, format="json")
def count(found):
    ran("count")
    return len(found)

@datatool.stage(found=words, format="json")
def longest(found):
    ran("longest")
    return max(found, key=len)

@datatool.stage(number=count, word=longest, format="json")
def report(number, word, mark="!"):
    ran("report")
    return f"{{number}} {{word}}{{mark}}"
"""
"""A diamond: words → count, longest → report."""


class Ran:
    """What ran, by name; where stages of any process write."""

    def __init__(self, world: World) -> None:
        self.path = world.top / "ran.txt"

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def take(self) -> Counter[str]:
        """Since the last time."""
        found = Counter(name for name, _ in self.lines())
        self.path.unlink(missing_ok=True)
        return found


def pipeline(world: World, text: str = PIPE, *, name: str = "pipe.py", track: bool = True) -> Ran:
    """Write the pipeline and its input into a project."""
    ran = Ran(world)
    world.write(name, text.format(log=str(ran.path)).encode())
    world.write("raw.txt", b"a few words here\n")
    if track:
        world.ok("add", "raw.txt")
    world.commit("pipeline")
    return ran


def forget(top: Path) -> None:
    """Unload modules below a directory."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is not None and Path(file).is_relative_to(top):
            del sys.modules[name]
