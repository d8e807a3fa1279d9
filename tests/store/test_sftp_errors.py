"""What the SSH library raises, told as errors of ours."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module

import asyncssh
import pytest

from datatool.errors import RemoteBusy, RemoteDenied, RemoteError
from datatool.remote.stores.sftp_errors import KINDS, Kind, kind_of, reason, remote_error


def exceptions_of_asyncssh() -> set[type[BaseException]]:
    found: set[type[BaseException]] = set()
    for module in pkgutil.walk_packages(asyncssh.__path__, "asyncssh."):
        try:
            loaded = import_module(module.name)
        except ImportError:
            continue  # for another system, or for a package that is not installed
        found |= {
            thing
            for thing in vars(loaded).values()
            if inspect.isclass(thing) and issubclass(thing, BaseException) and thing.__module__.startswith("asyncssh")
        }
    return found


def test_every_exception_of_asyncssh_has_a_meaning() -> None:
    found = exceptions_of_asyncssh()
    assert len(found) > 60
    assert sorted(thing.__name__ for thing in found - set(KINDS)) == []


@pytest.mark.parametrize("kind", sorted(KINDS, key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__)
def test_every_meaning_is_an_error_of_ours(kind: type[BaseException]) -> None:
    try:
        error = kind("what \x1b[31m the\nserver said")
    except TypeError:
        try:
            error = kind(4, "what \x1b[31m the\nserver said")
        except TypeError:
            error = kind.__new__(kind)
    made = remote_error(error, "sftp://host/x")
    assert isinstance(made, RemoteError)
    assert str(made).startswith("sftp://host/x: ")
    assert str(made).isprintable()
    expected = {
        Kind.BUSY: RemoteBusy,
        Kind.ENDED: RemoteBusy,
        Kind.UNREACHABLE: RemoteBusy,
        Kind.DENIED: RemoteDenied,
        Kind.LOGIN: RemoteDenied,
    }.get(kind_of(error), RemoteError)
    assert type(made) is expected


def test_what_a_server_says_is_kept_short() -> None:
    assert len(reason(asyncssh.SFTPFailure("x" * 10_000))) < 400


def test_what_newer_servers_say_of_their_disk_is_understood() -> None:
    for error in (asyncssh.SFTPNoSpaceOnFilesystem("x"), asyncssh.SFTPQuotaExceeded("x")):
        assert "no room left" in str(remote_error(error, "sftp://host/x"))


def test_where_a_server_only_says_that_it_failed_the_next_step_is_told() -> None:
    assert "path" in str(remote_error(asyncssh.SFTPFailure("Failure"), "sftp://host/x").hint)
    assert remote_error(asyncssh.SFTPFailure("because"), "sftp://host/x").hint is None
