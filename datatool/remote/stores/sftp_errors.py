"""What goes wrong inside asyncssh and sshfs, in the words of this project."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Mapping
from concurrent.futures import CancelledError
from enum import Enum
from types import MappingProxyType
from typing import Final

import asyncssh
from asyncssh.asn1 import ASN1DecodeError, ASN1EncodeError, ASN1Error
from asyncssh.config import ConfigParseError
from asyncssh.gss import GSSError  # type: ignore[attr-defined]
from asyncssh.misc import ChannelListenError, SoftEOFReceived
from asyncssh.packet import PacketDecodeError
from asyncssh.pbe import KeyEncryptionError
from asyncssh.saslprep import SASLPrepError

from datatool.errors import RemoteBusy, RemoteDenied, RemoteError, RemoteUnreachable
from datatool.model.paths import show


class Kind(Enum):
    """What a foreign exception means for a remote."""

    BUSY = "the connection broke, or somebody has to be waited for"
    UNREACHABLE = "nobody answers"
    DENIED = "no permission"
    LOGIN = "the login was refused"
    HOST_KEY = "the server's key is not the one that is known"
    MISSING = "no such file or directory"
    FULL = "no room"
    SETUP = "a key, a configuration file or a name can't be used"
    ENDED = "the data ends"
    OTHER = "the server, or the protocol, failed"


KINDS: Final[Mapping[type[BaseException], Kind]] = MappingProxyType(
    {
        asyncssh.Error: Kind.OTHER,
        asyncssh.DisconnectError: Kind.BUSY,
        asyncssh.CompressionError: Kind.BUSY,
        asyncssh.ConnectionLost: Kind.BUSY,
        asyncssh.MACError: Kind.BUSY,
        asyncssh.ProtocolError: Kind.BUSY,
        asyncssh.ServiceNotAvailable: Kind.BUSY,
        asyncssh.KeyExchangeFailed: Kind.OTHER,
        asyncssh.ProtocolNotSupported: Kind.OTHER,
        asyncssh.HostKeyNotVerifiable: Kind.HOST_KEY,
        asyncssh.PermissionDenied: Kind.LOGIN,
        asyncssh.IllegalUserName: Kind.LOGIN,
        asyncssh.ChannelOpenError: Kind.OTHER,
        ChannelListenError: Kind.OTHER,
        asyncssh.PasswordChangeRequired: Kind.LOGIN,
        asyncssh.BreakReceived: Kind.OTHER,
        asyncssh.SignalReceived: Kind.OTHER,
        SoftEOFReceived: Kind.OTHER,
        asyncssh.TerminalSizeChanged: Kind.OTHER,
        asyncssh.ProcessError: Kind.OTHER,
        asyncssh.TimeoutError: Kind.BUSY,
        ConfigParseError: Kind.SETUP,
        asyncssh.KeyImportError: Kind.SETUP,
        asyncssh.KeyExportError: Kind.SETUP,
        asyncssh.KeyGenerationError: Kind.SETUP,
        KeyEncryptionError: Kind.SETUP,
        SASLPrepError: Kind.SETUP,
        GSSError: Kind.SETUP,
        ASN1Error: Kind.SETUP,
        ASN1EncodeError: Kind.SETUP,
        ASN1DecodeError: Kind.SETUP,
        PacketDecodeError: Kind.BUSY,
        asyncssh.SFTPError: Kind.OTHER,
        asyncssh.SFTPEOFError: Kind.ENDED,
        asyncssh.SFTPNoSuchFile: Kind.MISSING,
        asyncssh.SFTPNoSuchPath: Kind.MISSING,
        asyncssh.SFTPNotADirectory: Kind.MISSING,
        asyncssh.SFTPLinkLoop: Kind.MISSING,
        asyncssh.SFTPFileIsADirectory: Kind.MISSING,
        asyncssh.SFTPDeletePending: Kind.MISSING,
        asyncssh.SFTPPermissionDenied: Kind.DENIED,
        asyncssh.SFTPWriteProtect: Kind.DENIED,
        asyncssh.SFTPCannotDelete: Kind.DENIED,
        asyncssh.SFTPOwnerInvalid: Kind.DENIED,
        asyncssh.SFTPGroupInvalid: Kind.DENIED,
        asyncssh.SFTPUnknownPrincipal: Kind.DENIED,
        asyncssh.SFTPNoSpaceOnFilesystem: Kind.FULL,
        asyncssh.SFTPQuotaExceeded: Kind.FULL,
        asyncssh.SFTPNoConnection: Kind.BUSY,
        asyncssh.SFTPConnectionLost: Kind.BUSY,
        asyncssh.SFTPLockConflict: Kind.BUSY,
        asyncssh.SFTPByteRangeLockConflict: Kind.BUSY,
        asyncssh.SFTPByteRangeLockRefused: Kind.BUSY,
        asyncssh.SFTPNoMatchingByteRangeLock: Kind.BUSY,
        asyncssh.SFTPNoMedia: Kind.UNREACHABLE,
        asyncssh.SFTPFailure: Kind.OTHER,
        asyncssh.SFTPBadMessage: Kind.OTHER,
        asyncssh.SFTPOpUnsupported: Kind.OTHER,
        asyncssh.SFTPInvalidHandle: Kind.BUSY,
        asyncssh.SFTPFileAlreadyExists: Kind.OTHER,
        asyncssh.SFTPDirNotEmpty: Kind.OTHER,
        asyncssh.SFTPInvalidFilename: Kind.OTHER,
        asyncssh.SFTPInvalidParameter: Kind.OTHER,
        asyncssh.SFTPFileCorrupt: Kind.OTHER,
        # what Python itself raises beneath
        socket.gaierror: Kind.UNREACHABLE,
        TimeoutError: Kind.BUSY,
        OSError: Kind.BUSY,
        EOFError: Kind.BUSY,
        CancelledError: Kind.BUSY,
        asyncio.CancelledError: Kind.BUSY,
        asyncio.InvalidStateError: Kind.BUSY,
        RuntimeError: Kind.BUSY,
        AssertionError: Kind.BUSY,
        ValueError: Kind.SETUP,
    }
)
"""Every exception that asyncssh defines (a test compares), and what may come from beneath it.

RuntimeError and AssertionError are what asyncssh and asyncio meet in a connection that is closed while it is used.
"""

FOREIGN: Final = tuple(KINDS)
"""What to catch around a call of the library."""

MISSING: Final = tuple(error for error, kind in KINDS.items() if kind is Kind.MISSING)
"""What a server says where there is no such file."""

_NOBODY: Final = frozenset(
    getattr(errno, name, -1)
    for name in ("ECONNREFUSED", "EHOSTUNREACH", "EHOSTDOWN", "ENETUNREACH", "ENETDOWN", "ETIMEDOUT", "EADDRNOTAVAIL")
)
_LONGEST: Final = 300


def kind_of(error: BaseException) -> Kind:
    """What an exception means."""
    if isinstance(error, OSError) and error.errno in _NOBODY:
        return Kind.UNREACHABLE
    return next((KINDS[base] for base in type(error).__mro__ if base in KINDS), Kind.OTHER)


def reason(error: BaseException) -> str:
    """What an exception says, on one line and without what a terminal would obey: it may be the server's text."""
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror
    else:
        text = str(error) or type(error).__name__
    line = " ".join(text.split())
    return show(line if len(line) <= _LONGEST else line[:_LONGEST] + "…")


def remote_error(error: BaseException, where: str) -> RemoteError:
    """The error to raise for one that came up while `where` (a URL) was used, over a connection that had been made."""
    text = f"{where}: {reason(error)}"
    match kind_of(error):
        case Kind.BUSY | Kind.ENDED | Kind.UNREACHABLE:
            return RemoteBusy(text, path=where)
        case Kind.DENIED | Kind.LOGIN:
            return RemoteDenied(
                text, hint="ask whoever owns the directory for permission, or use another remote", path=where
            )
        case Kind.FULL:
            return no_room(where)
        case _:
            hint = "the server says no more than this; check the remote's path there" if _says_nothing(error) else None
            return RemoteError(text, hint=hint, path=where)


def _says_nothing(error: BaseException) -> bool:
    """Whether it is the answer that OpenSSH has for whatever it has no code for."""
    return isinstance(error, asyncssh.SFTPFailure) and reason(error) == "Failure"


def no_room(where: str, *, needed: str = "", free: str = "") -> RemoteError:
    """The disk there is full, or the quota used up."""
    sizes = f": needs {needed}, {free} free" if needed and free else ""
    return RemoteError(
        f"{where}: no room left on the server's disk{sizes}",
        hint="free some space there, or ask for more quota, then run the command again",
        path=where,
    )


def unreachable(text: str, where: str, *, seen: bool, hint: str | None = None) -> RemoteUnreachable:
    """Nobody answers: for good, it seems, unless there was a connection a moment ago (`seen`)."""
    return (RemoteBusy if seen else RemoteUnreachable)(f"{where}: {text}", hint=hint, path=where)
