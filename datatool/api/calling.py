"""Which file or notebook called, whoever's function that was."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Final

_HERE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_LIBRARY: Final = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_PACKAGES: Final = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_NOTEBOOK: Final = ("__vsc_ipynb_file__", "__session__")
"""Where VS Code and Jupyter say in a notebook's own names which file it is."""


def calling_file() -> str | None:
    """The file of the nearest caller that is nobody else's code, neither Python's nor of a package that was installed:
    a script, a module, a notebook. Of a thread or process that was started for a function, the program. None at a
    prompt, and where nobody can tell."""
    for frame in _frames(sys._getframe(1)):
        found = _notebook(frame.f_globals) or _own(frame.f_code.co_filename)
        if found is not None:
            return found
    return notebook_file() or main_file()


def notebook_file() -> str | None:
    """The notebook that this process runs, where whoever runs it says which file it is."""
    return _notebook(_main())


def typed_cells() -> list[str]:
    """The cells that ran in this kernel, as they were typed but for the space around them, each at its number; empty
    where there is no IPython."""
    shell = _main().get("get_ipython")
    history = getattr(shell() if callable(shell) else None, "history_manager", None)
    return [str(text).strip() for text in getattr(history, "input_hist_raw", ())]


def main_file() -> str | None:
    """The script that this process was started with."""
    return _existing(_main().get("__file__"))


def _main() -> Mapping[str, object]:
    return vars(sys.modules["__main__"]) if "__main__" in sys.modules else {}


def calling_directory() -> str | None:
    """The directory that it lies in."""
    file = calling_file()
    return None if file is None else os.path.dirname(file)


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _notebook(names: Mapping[str, object]) -> str | None:
    for name in _NOTEBOOK:
        found = _existing(names.get(name))
        if found is not None:
            return found
    if "get_ipython" in names:
        return _existing(os.environ.get("JPY_SESSION_NAME"))
    return None


def _own(file: str) -> str | None:
    others = file.startswith((_HERE, _LIBRARY)) or any(part in file for part in _PACKAGES)
    return None if others else _existing(file)


def _existing(file: object) -> str | None:
    if not isinstance(file, str) or not os.path.isfile(file):
        return None
    return os.path.abspath(file)
