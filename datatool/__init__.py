"""datatool keeps data beside the code that git keeps: versions, remotes, and where each file came from."""

from __future__ import annotations

import builtins
import os
from _thread import RLock, get_ident  # `threading` has these, too, and takes its time to load
from importlib import import_module

TYPE_CHECKING = False  # type checkers read this name as true; importing `typing` for it would cost 8 ms at every start
if TYPE_CHECKING:
    from collections.abc import Callable

    from datatool import errors as errors
    from datatool.api.collecting import gc
    from datatool.api.everyday import add, checkout, diff, edit, log, move, remove, status
    from datatool.api.listing import Entry, list
    from datatool.api.projects import clone, doctor, init, migrate
    from datatool.api.reading import get_url, open, path, read
    from datatool.api.registries import get, get_from_url, import_, import_url, update
    from datatool.api.repeating import reproduce
    from datatool.api.runs import Run, run
    from datatool.api.sharing import fetch, pull, push
    from datatool.api.stage import Stage, stage
    from datatool.api.track import track
    from datatool.errors import (
        ChangedWhileRead,
        CommandFailed,
        DamagedResult,
        DamageFound,
        DatatoolError,
        FormatError,
        GitError,
        IsDirectory,
        LocalError,
        Locked,
        MergeConflict,
        NewerFormat,
        NoSpace,
        NotARemote,
        NotFoundError,
        PartlyDone,
        PathNotFound,
        ProjectNotFound,
        ReadFailed,
        Refused,
        RemoteBusy,
        RemoteDenied,
        RemoteError,
        RemoteNotFound,
        RemoteUnreachable,
        RevisionNotFound,
        UnsafeInput,
        Unsaved,
        UrlNotFound,
        UsageError,
    )
    from datatool.model.file import File

__version__ = "0.1.0"

__all__ = [
    "ChangedWhileRead",
    "CommandFailed",
    "DamageFound",
    "DamagedResult",
    "DatatoolError",
    "Entry",
    "File",
    "FormatError",
    "GitError",
    "IsDirectory",
    "LocalError",
    "Locked",
    "MergeConflict",
    "NewerFormat",
    "NoSpace",
    "NotARemote",
    "NotFoundError",
    "PartlyDone",
    "PathNotFound",
    "ProjectNotFound",
    "ReadFailed",
    "Refused",
    "RemoteBusy",
    "RemoteDenied",
    "RemoteError",
    "RemoteNotFound",
    "RemoteUnreachable",
    "RevisionNotFound",
    "Run",
    "Stage",
    "UnsafeInput",
    "Unsaved",
    "UrlNotFound",
    "UsageError",
    "__version__",
    "add",
    "checkout",
    "clone",
    "diff",
    "doctor",
    "edit",
    "fetch",
    "gc",
    "get",
    "get_from_url",
    "get_url",
    "import_",
    "import_url",
    "init",
    "list",
    "log",
    "migrate",
    "move",
    "open",
    "path",
    "pull",
    "push",
    "read",
    "remove",
    "reproduce",
    "run",
    "stage",
    "status",
    "track",
    "update",
]

# Door 1 of 8 for imports at first use: public name → module. `import datatool` itself loads none of them, so that a
# script or `datatool --version` pays only for what it names.
_DOOR = {
    **{name: "datatool.errors" for name in __all__ if name != "__version__"},
    "Entry": "datatool.api.listing",
    "add": "datatool.api.everyday",
    "checkout": "datatool.api.everyday",
    "clone": "datatool.api.projects",
    "diff": "datatool.api.everyday",
    "doctor": "datatool.api.projects",
    "edit": "datatool.api.everyday",
    "fetch": "datatool.api.sharing",
    "gc": "datatool.api.collecting",
    "get": "datatool.api.registries",
    "get_from_url": "datatool.api.registries",
    "get_url": "datatool.api.reading",
    "import_": "datatool.api.registries",
    "import_url": "datatool.api.registries",
    "init": "datatool.api.projects",
    "list": "datatool.api.listing",
    "log": "datatool.api.everyday",
    "migrate": "datatool.api.projects",
    "move": "datatool.api.everyday",
    "open": "datatool.api.reading",
    "path": "datatool.api.reading",
    "pull": "datatool.api.sharing",
    "push": "datatool.api.sharing",
    "read": "datatool.api.reading",
    "remove": "datatool.api.everyday",
    "reproduce": "datatool.api.repeating",
    "status": "datatool.api.everyday",
    "update": "datatool.api.registries",
    "Run": "datatool.api.runs",
    "run": "datatool.api.runs",
    "File": "datatool.model.file",
    "Stage": "datatool.api.stage",
    "stage": "datatool.api.stage",
    "track": "datatool.api.track",
}

# Held for every import at first use, and while this process forks: see `datatool.forks`.
_importing = RLock()


def _hold_over_forks(acquire: Callable[[], object], release: Callable[[], object]) -> None:
    """Have every fork hold a lock. One that is under way already will only be at its end here, and holds nothing."""
    held: builtins.list[int] = []

    def before() -> None:
        acquire()
        held.append(get_ident())

    def after() -> None:
        if held and held[-1] == get_ident():
            held.pop()
            release()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=before, after_in_parent=after, after_in_child=after)


_hold_over_forks(_importing.acquire, _importing.release)
_opened: builtins.set[str] = builtins.set()  # modules that were asked for through the door


def __getattr__(name: str) -> object:
    module = "datatool.errors" if name == "errors" else _DOOR.get(name)
    if module is None:
        raise AttributeError(f"module 'datatool' has no attribute {name!r}")
    with _importing:
        import_module("logging")
    if not _opened:
        # A fork takes first what was registered last. `logging` registers a lock, too, and modules want that while they
        # are imported: so a fork must not have it while it waits for ours.
        _hold_over_forks(_importing.acquire, _importing.release)
    with _importing:
        found = import_module(module)
        _opened.add(module)
    value: object = found if name == "errors" else getattr(found, name)
    globals()[name] = value
    return value


def __dir__() -> builtins.list[str]:
    return sorted({*globals(), *__all__})
