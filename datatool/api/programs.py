"""What program this process is: a script, a notebook, or words that nobody kept."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from datatool.api.calling import main_file, notebook_file
from datatool.model.run import RunKind


@dataclass(frozen=True, kw_only=True, slots=True)
class ThisProgram:
    """A program by its file; `entry` is None at a prompt and for `python -c`, which has its `text`."""

    kind: RunKind
    name: str
    entry: str | None = None
    text: str | None = None


def this_program() -> ThisProgram:
    """The program that runs now."""
    notebook = notebook_file()
    if notebook is not None:
        return ThisProgram(kind=RunKind.NOTEBOOK, name=os.path.basename(notebook), entry=notebook)
    script = main_file()
    if script is not None:
        return ThisProgram(kind=RunKind.SCRIPT, name=os.path.basename(script), entry=script)
    name = "notebook" if "ipykernel" in sys.modules else "prompt" if hasattr(sys, "ps1") else "-c"
    kind = RunKind.NOTEBOOK if name == "notebook" else RunKind.SCRIPT
    return ThisProgram(kind=kind, name=name, text=_text() if name == "-c" else None)


def _text() -> str | None:
    words = sys.orig_argv
    return words[words.index("-c") + 1] if "-c" in words[:-1] else None
