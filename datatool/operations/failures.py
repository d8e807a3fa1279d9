"""What went wrong with one artifact while the others went on, and what that makes of the whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from datatool import errors
from datatool.errors import DamageFound, DatatoolError, LocalError, PartlyDone


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """One artifact's error, in the words that JSON and the terminal use; `code` names its kind, as `unsaved`. Two that
    say the same are equal."""

    code: str
    message: str
    hint: str | None
    path: str | None
    error: DatatoolError = field(compare=False)


class Failed(NamedTuple):
    """What failed, by its path or URL, and why."""

    path: str | None
    error: Failure


def failure_of(error: DatatoolError) -> Failure:
    """The failure that an error is."""
    return Failure(code=code_of(error), message=error.message, hint=error.hint, path=error.path, error=error)


def code_of(error: BaseException) -> str:
    """The kind of an error as one word of its public class: `PathNotFound` → `path_not_found`."""
    public = next((kind for kind in type(error).__mro__ if kind.__module__ == errors.__name__), type(error))
    return re.sub(r"(?<!^)(?=[A-Z])", "_", public.__name__).lower()


def worst(failures: Sequence[Failure], *, finished: bool) -> DatatoolError | None:
    """What several failures come to (cli.md): damage before all; partly done where anything was finished;
    else what they share; else that it failed."""
    if not failures:
        return None
    for failure in failures:
        if isinstance(failure.error, DamageFound):
            return failure.error
    for failure in failures:
        if isinstance(failure.error, PartlyDone):
            return failure.error
    first = failures[0].error
    if finished:
        return PartlyDone(first.message, hint=first.hint, path=first.path)
    if all(type(failure.error) is type(first) for failure in failures):
        return first
    shared = [kind for kind in type(first).__mro__ if all(isinstance(failure.error, kind) for failure in failures)]
    kind = shared[0]
    if issubclass(kind, DatatoolError) and kind is not DatatoolError:
        return kind(first.message, hint=first.hint, path=first.path)
    return LocalError(first.message, hint=first.hint, path=first.path)
