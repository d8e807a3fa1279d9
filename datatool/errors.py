"""Everything that can go wrong, as one tree of exceptions.

    DatatoolError                       anything below; carries message, hint, path
    ├── UsageError                      the call itself is wrong (ValueError)
    │   └── IsDirectory                 a directory, where a file is needed (IsADirectoryError)
    ├── NotFoundError                   something named does not exist (FileNotFoundError)
    │   ├── ProjectNotFound             no project around the directory
    │   ├── PathNotFound                no such artifact, file or directory
    │   ├── RevisionNotFound            git does not know the revision
    │   ├── RemoteNotFound              no remote of that name, or none at all
    │   └── UrlNotFound                 the bytes lie nowhere as a file of their own
    ├── FormatError                     a file does not read as what it should be (ValueError)
    │   ├── NewerFormat                 written by a newer datatool
    │   ├── MergeConflict               conflict markers left by a merge
    │   └── DamagedResult               a stage's result does not read in its format
    ├── LocalError                      this machine's disk or git refused (OSError)
    │   ├── NoSpace                     the disk is full
    │   ├── ReadFailed                  a file can't be read
    │   ├── ChangedWhileRead            a file kept changing while it was hashed
    │   └── GitError                    git failed
    ├── CommandFailed                   a command that datatool ran failed, or made not what it was to make
    │                                   (ChildProcessError)
    ├── PartlyDone                      some of it is finished, the rest is listed (OSError)
    ├── DamageFound                     bytes are not what their object id says (OSError)
    ├── RemoteError                     a remote can't be used (ConnectionError)
    │   ├── RemoteUnreachable           nobody answers, or it is not mounted
    │   │   └── RemoteBusy              it failed for now: another try may work
    │   ├── RemoteDenied                no permission, or read only (PermissionError)
    │   └── NotARemote                  something else lies at that place
    └── Refused                         stopped, to protect data (PermissionError)
        ├── Unsaved                     unsaved work would be lost
        ├── UnsafeInput                 input that could do harm
        └── Locked                      another process holds the lock

Each branch is also the builtin that a caller expects, in brackets. Only the command line knows exit codes; it maps
these classes to them.
"""

from __future__ import annotations


class DatatoolError(Exception):
    """Base of every error this library raises on purpose.

    `message` says what happened to which path; `hint` says what to do next; `path` is the path
    concerned, relative to the project's root where there is one. `result` is what was done all the
    same, where a function of `datatool` could do a part of its work. A traceback shows the hint below the message, as a
    note (PEP 678).
    """

    def __init__(self, message: str, *, hint: str | None = None, path: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.path = path
        self.result: object = None

    @property
    def hint(self) -> str | None:
        """What to do next."""
        return self._hint

    @hint.setter
    def hint(self, hint: str | None) -> None:
        others = other_notes(self)
        self._hint = hint
        if others or hint is not None or hasattr(self, "__notes__"):
            self.__notes__ = others  # a list of its own: a copy of an error begins with that of the original
        if hint is not None:
            self.add_note(f"hint: {hint}")

    def __str__(self) -> str:
        return self.message


def other_notes(error: BaseException) -> list[str]:
    """The notes of an error (PEP 678) but for the one that is its hint."""
    hint = getattr(error, "_hint", None)
    return [note for note in getattr(error, "__notes__", ()) if hint is None or note != f"hint: {hint}"]


class UsageError(DatatoolError, ValueError):
    """The call itself is wrong: an option, an argument, a combination."""


class IsDirectory(UsageError, IsADirectoryError):
    """A directory was named where only a file will do."""

    def __new__(cls, *args: object, **named: object) -> IsDirectory:
        """As its second builtin base has it: the first one's, which Python finds, refuses who asks for it by name, as
        tblib does that brings errors back from Dask's workers."""
        return IsADirectoryError.__new__(cls)


class NotFoundError(DatatoolError, FileNotFoundError):
    """Something that was named does not exist."""


class ProjectNotFound(NotFoundError):
    """No datatool project around the directory."""


class PathNotFound(NotFoundError):
    """No such artifact, file or directory."""


class RevisionNotFound(NotFoundError):
    """git does not know the revision."""


class RemoteNotFound(NotFoundError):
    """No remote of that name is configured, or none at all."""


class UrlNotFound(NotFoundError):
    """The bytes lie nowhere as a file of their own that a URL could name."""


class FormatError(DatatoolError, ValueError):
    """A file does not read as what it should be."""


class NewerFormat(FormatError):
    """A file was written by a newer datatool than this one."""


class MergeConflict(FormatError):
    """A file still has the conflict markers of a merge."""


class DamagedResult(FormatError):
    """The bytes of a stage's result do not read in the stage's format."""


class LocalError(DatatoolError, OSError):
    """This machine's disk, or the git on it, refused."""


class NoSpace(LocalError):
    """The disk is full."""


class ReadFailed(LocalError):
    """A file can't be read."""


class ChangedWhileRead(LocalError):
    """A file kept changing while it was hashed."""


class GitError(LocalError):
    """git failed; the message carries what it said."""


class CommandFailed(DatatoolError, ChildProcessError):
    """A command that datatool ran failed, or did not make what it was to make; nothing was recorded."""


class PartlyDone(DatatoolError, OSError):
    """Some of the work is finished and kept, the rest is listed; run again to continue."""


class DamageFound(DatatoolError, OSError):
    """An object's bytes are not what its id says."""


class RemoteError(DatatoolError, ConnectionError):
    """A remote can't be used."""


class RemoteUnreachable(RemoteError):
    """Nobody answers at the remote, or the directory is not mounted."""


class RemoteBusy(RemoteUnreachable):
    """A request failed in a way that may pass: a broken connection, a server that asks for patience.

    `retry_after` is what the server asked to wait, in seconds.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, path: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint=hint, path=path)
        self.retry_after = retry_after


class RemoteDenied(RemoteError, PermissionError):
    """The remote refused access, or it is read only."""


class NotARemote(RemoteError):
    """What lies at the remote's place is no datatool remote."""


class Refused(DatatoolError, PermissionError):
    """Stopped, to protect data."""


class Unsaved(Refused):
    """Unsaved work would be lost."""


class UnsafeInput(Refused):
    """Input that could do harm was refused."""


class Locked(Refused):
    """Another process holds the lock."""
