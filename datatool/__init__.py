"""datatool keeps data beside the code that git keeps: versions, remotes, and where each file came from."""

from __future__ import annotations

import builtins
from importlib import import_module

TYPE_CHECKING = False  # type checkers read this name as true; importing `typing` for it would cost 8 ms at every start
if TYPE_CHECKING:
    from datatool.api.listing import Entry, list
    from datatool.api.reading import get_url, open, path, read
    from datatool.api.track import track
    from datatool.errors import (
        ChangedWhileRead,
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

__version__ = "0.1.0"

__all__ = [
    "ChangedWhileRead",
    "DamageFound",
    "DatatoolError",
    "Entry",
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
    "UnsafeInput",
    "Unsaved",
    "UrlNotFound",
    "UsageError",
    "__version__",
    "get_url",
    "list",
    "open",
    "path",
    "read",
    "track",
]

# Door 1 of 4 for imports at first use: public name → module. `import datatool` itself loads none of them, so that a
# script or `datatool --version` pays only for what it names.
_DOOR = {
    **{name: "datatool.errors" for name in __all__ if name != "__version__"},
    "Entry": "datatool.api.listing",
    "get_url": "datatool.api.reading",
    "list": "datatool.api.listing",
    "open": "datatool.api.reading",
    "path": "datatool.api.reading",
    "read": "datatool.api.reading",
    "track": "datatool.api.track",
}


def __getattr__(name: str) -> object:
    module = _DOOR.get(name)
    if module is None:
        raise AttributeError(f"module 'datatool' has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> builtins.list[str]:
    return sorted({*globals(), *__all__})
