"""Importing a module of the user's to look at its stages, as `python FILE` would find modules, and running none."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

from datatool.errors import CommandFailed, PathNotFound, UsageError
from datatool.model.paths import show
from datatool.operations.stage.looking import StageCalled, looking
from datatool.stages.secrets import without_secrets

_INSTALLED: Final = ("site-packages", "dist-packages")
_FRAMES: Final = 5


@contextmanager
def imported(target: str, cwd: Path) -> Iterator[tuple[ModuleType, Path]]:
    """The module in a file (`pipeline.py`) or with a name (`pkg.module`), and the directory where the program that it
    belongs to would start. Import ends where it calls a stage; what it imported is forgotten afterwards.

    Raises PathNotFound, UsageError for what is no module, CommandFailed for one that can't be imported.
    """
    file = cwd / target
    is_file = target.endswith(".py") or file.is_file()
    if target.endswith(".ipynb"):
        raise UsageError(f"{show(target)}: a notebook can't be imported", hint="call STAGE.why() in it")
    if not is_file and not all(part.isidentifier() for part in target.split(".")):
        raise PathNotFound(f"{show(target)}: no such file, nor the name of a module", path=target)
    if is_file and not file.is_file():
        raise PathNotFound(f"{show(target)}: no such file", path=target)
    if is_file and not target.endswith(".py"):
        raise UsageError(f"{show(target)}: is no Python file", hint="FILE.py:STAGE, or MODULE:STAGE", path=target)
    start = Path(os.path.realpath(file)).parent if is_file else cwd
    with _surroundings(start, os.fspath(file) if is_file else target):
        try:
            yield _executed(_spec_of_file(file) if is_file else _spec_of_name(target)), start
        except _Failed as failed:
            raise _explained(failed.error, target, start) from failed.error


class _Failed(Exception):
    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


class _FromSource(SourceFileLoader):
    """Compiles the file each time, as Python does for a program: what is kept of it may be older by an instant."""

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


@contextmanager
def _surroundings(start: Path, program: str) -> Iterator[None]:
    """Python's own state as at the start of a program there; as it was before at the end."""
    path, words, writes, before = list(sys.path), list(sys.argv), sys.dont_write_bytecode, set(sys.modules)
    sys.path.insert(0, os.fspath(start))
    sys.argv[:] = [program]
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        with looking():
            yield
    finally:
        sys.path[:], sys.argv[:], sys.dont_write_bytecode = path, words, writes
        for name in set(sys.modules) - before:
            ours = name.partition(".")[0] == "datatool"
            if not ours and _is_below(getattr(sys.modules[name], "__file__", None), start):
                del sys.modules[name]


def _spec_of_file(file: Path) -> ModuleSpec:
    name = file.stem if file.stem not in sys.modules else f"{file.stem} (looked at)"
    spec = importlib.util.spec_from_file_location(name, file, loader=_FromSource(name, os.fspath(file)))
    assert spec is not None
    return spec


def _spec_of_name(name: str) -> ModuleSpec:
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _Failed(error) from error
        spec = None
    except (Exception, SystemExit, StageCalled) as error:
        raise _Failed(error) from error
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise PathNotFound(f"{name}: no such module", hint="modules are looked for in the working directory first")
    spec.loader = _FromSource(name, spec.origin)
    return spec


def _executed(spec: ModuleSpec) -> ModuleType:
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    assert spec.loader is not None
    try:
        spec.loader.exec_module(module)
    except StageCalled:
        pass  # what it defined so far is what there is to look at
    except (Exception, SystemExit) as error:
        raise _Failed(error) from error
    return module


def _explained(error: BaseException, target: str, start: Path) -> CommandFailed:
    """What went wrong in the user's code, with the lines of it that led there."""
    lines = [
        _line(frame.filename, frame.lineno, frame.line or "", start)
        for frame in traceback.extract_tb(error.__traceback__)
        if _is_below(frame.filename, start)
    ]
    if isinstance(error, SyntaxError) and error.filename:
        lines.append(
            f"{show(os.path.relpath(error.filename, start))}:{error.lineno}: {show((error.text or '').strip())}"
        )
    said = str(error.msg if isinstance(error, SyntaxError) else error).splitlines()
    what = f"{type(error).__name__}{': ' + said[0] if said else ''}"
    return CommandFailed(
        without_secrets(f"{show(target)}: can't be imported: {what}"),
        hint=without_secrets("\n".join(["where:", *lines[-_FRAMES:]])) if lines else None,
        path=target,
    )


def _line(file: str, number: int | None, text: str, start: Path) -> str:
    return f"{show(os.path.relpath(os.path.realpath(file), start))}:{number}: {show(text)}"


def _is_below(file: object, directory: Path) -> bool:
    if not isinstance(file, str) or not os.path.isabs(file):  # `<frozen importlib._bootstrap>`
        return False
    path = Path(os.path.realpath(file))
    return path.is_relative_to(directory) and not any(part in _INSTALLED for part in path.parts)
