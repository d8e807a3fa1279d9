"""What program this process is: a script, a notebook, or words that nobody kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from msgspec import Struct

from datatool.api.calling import main_file, notebook_file, typed_cells
from datatool.model.run import STDIN, RunKind


class ThisProgram(Struct, frozen=True, kw_only=True):
    """A program by its file; `entry` is None at a prompt, for `python -c`, for a program on standard input, and in a
    notebook of which nobody told the kernel; `command` is the program's name with its arguments, None where there are
    none that a user gave: in notebooks, at a prompt; `directory` is where it runs."""

    kind: RunKind
    name: str
    entry: str | None = None
    command: tuple[str, ...] | None = None
    directory: str | None = None

    def texts(self) -> Mapping[str, str]:
        """What ran until now of a program without a file, by name: `-c`, or the cells of a notebook, `In[1]`."""
        if self.entry is not None:
            return {}
        if self.kind is RunKind.NOTEBOOK:
            return {f"In[{number}]": text for number, text in enumerate(typed_cells()) if text}
        words = sys.orig_argv
        return {"-c": words[words.index("-c") + 1]} if self.name == "-c" and "-c" in words[:-1] else {}


def this_program() -> ThisProgram:
    """The program that runs now."""
    here = working_directory()
    notebook = notebook_file()
    if notebook is not None:
        name = os.path.basename(notebook)
        return ThisProgram(kind=RunKind.NOTEBOOK, name=name, entry=notebook, directory=here)
    script = main_file()
    if script is not None:
        name = os.path.basename(script)
        command = _of_module(script) or _command(name)
        return ThisProgram(kind=RunKind.SCRIPT, name=name, entry=script, command=command, directory=here)
    name = "notebook" if "ipykernel" in sys.modules else "prompt" if hasattr(sys, "ps1") else "-c"
    kind = RunKind.NOTEBOOK if name == "notebook" else RunKind.SCRIPT
    if name != "-c":
        return ThisProgram(kind=kind, name=name, directory=here)
    if sys.argv[:1] in (["-"], [""]):
        return ThisProgram(kind=kind, name=STDIN, command=_command("-"), directory=here)
    return ThisProgram(kind=kind, name=name, command=_command(name), directory=here)


def working_directory() -> str | None:
    """Where this process is; None if that was deleted."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None


def _of_module(script: str) -> tuple[str, ...] | None:
    """The words of a program that was started with `python -m`, and is known to Python by a name for that."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is None or spec.name == "__main__" or os.path.abspath(spec.origin or "") != script:
        return None
    return ("-m", spec.name.removesuffix(".__main__"), *sys.argv[1:])


def _command(name: str) -> tuple[str, ...]:
    return (name, *sys.argv[1:])
