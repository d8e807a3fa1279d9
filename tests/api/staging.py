"""What tests of `@stage` share: modules of the project that are loaded anew after each edit, and which stages ran."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from datatool.model.run import RunKind, RunRecord
from datatool.operations.open_project import open_project
from datatool.stages.run_store import all_runs
from world import World


class Code:
    """The project's own modules. Whatever calls `counted.ran(name)` is counted in `ran`."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self._root = world.root
        self.ran: list[str] = []
        counted = ModuleType("counted")
        counted.ran = self.ran.append  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "counted", counted)
        monkeypatch.syspath_prepend(str(world.root))
        monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(self, name: str, text: str) -> None:
        """Write a module, for the next time that it is loaded."""
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def load(self, name: str = "pipe") -> ModuleType:
        """Load a module as a new process would."""
        self.forget()
        return importlib.import_module(name)

    def edited(self, name: str, old: str, new: str) -> ModuleType:
        """Change a text in a module, and load `pipe` anew."""
        path = self._root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return self.load()

    def forget(self) -> None:
        """Unload all of them."""
        for known, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file is not None and Path(file).is_relative_to(self._root):
                del sys.modules[known]
        importlib.invalidate_caches()

    @contextmanager
    def running(self, *names: str) -> Iterator[None]:
        """Within the block, exactly these stages run, in this order."""
        self.ran.clear()
        yield
        assert self.ran == list(names)


@contextmanager
def coding(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Code]:
    """Modules that nobody has loaded afterwards."""
    made = Code(world, monkeypatch)
    try:
        yield made
    finally:
        made.forget()


def kept(world: World) -> list[RunRecord]:
    """The records of stages in a project."""
    with open_project(str(world.root), flags={}, environ=world.env) as project:
        found = [known.record for known in all_runs(project.cache, project.config.project or "")]
    return [record for record in found if record.kind is RunKind.STAGE]


def stage_below(top: str, result: str) -> str:
    """The text of a module with a stage `f` below `top`, that gives the value of an expression."""
    return f"""
{top}
import counted, datatool
@datatool.stage
def f():
    counted.ran("f")
    return {result}
"""


def one(code: Code, body: str, options: str = "", parameters: str = "", before: str = "") -> Any:
    """A stage `f` in a module of its own; its body is indented by eight."""
    decorator = f"@datatool.stage({options})" if options else "@datatool.stage"
    code.write(
        "pipe.py",
        f"""
    import counted
    import datatool
    {before}
    {decorator}
    def f({parameters}):
        "What it does."
        counted.ran("f")
        {body}
    """,
    )
    return code.load()
