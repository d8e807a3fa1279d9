"""Small programs with stages, loaded into the test's own process as often as they change."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

from world import World

FILES = {
    "pipe.py": """\
import datatool
import helpers
from datatool import File

RATE = 2
NAMES = ["a", "b"]

def times(power):
    def scaled(x):
        return x * power
    return scaled

scaled = times(3)

@datatool.stage(raw=File("raw.txt"), packages=["pytest"])
def clean(raw, limit=10):
    print("clean ran")
    rows = [int(word) * RATE for word in raw.read_text().split()]
    rows = helpers.shifted(rows)
    return [[scaled(x) for x in rows][:limit], NAMES]

@datatool.stage(rows=clean)
def total(rows, label="sum"):
    print("total ran")
    return [label, sum(rows[0])]
""",
    "helpers.py": """\
def shifted(rows):
    moved = [row + 1 for row in rows]
    return moved
""",
    "raw.txt": "1 2 3",
}


class Pipeline:
    """The files of a program in a project, and its module as it is now."""

    def __init__(self, world: World) -> None:
        self.world = world
        for name, text in FILES.items():
            world.write(name, text.encode())

    def edit(self, old: str, new: str, file: str = "pipe.py") -> ModuleType:
        """Put one text in another's place, once; the module as it is then."""
        text = (self.world.root / file).read_text()
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file}"
        self.world.write(file, text.replace(old, new).encode())
        return self.load()

    def load(self, name: str = "pipe") -> Any:
        """The module, from the files as they are; what they import too."""
        self.forget()
        return self._module(name)

    def _module(self, name: str) -> ModuleType:
        for other in ("helpers",) if name != "helpers" else ():
            self._module(other)
        path = self.world.root / f"{name}.py"
        module = ModuleType(name)
        module.__file__ = str(path)
        module.__spec__ = ModuleSpec(name, None)  # by which one load is told from the next
        sys.modules[name] = module
        code: CodeType = compile(path.read_text(), str(path), "exec")
        exec(code, vars(module))
        return module

    def forget(self) -> None:
        """Have nothing of it loaded."""
        for name in ("pipe", "helpers"):
            sys.modules.pop(name, None)
