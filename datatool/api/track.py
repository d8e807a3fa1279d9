"""`track()`: data that a program reads and writes, versioned where the program runs."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias, overload

from datatool.api.calling import calling_directory
from datatool.api.current_run import current_run
from datatool.api.ending import tell_program
from datatool.api.process_end import arm_process_end
from datatool.api.programs import working_directory
from datatool.api.telling import say, warn
from datatool.api.trackers import tracking
from datatool.api.where import Where
from datatool.errors import UsageError
from datatool.model.urls import without_secrets
from datatool.operations.frozen import is_frozen
from datatool.operations.stage.looking import is_looking
from datatool.operations.stage.running import uncounted
from datatool.operations.track.files import make_parent, write_made
from datatool.operations.track.place import locate
from datatool.operations.track.state import OnChange, Rule

Change: TypeAlias = Literal["add", "error", "keep"]
Source: TypeAlias = Callable[..., object]

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_warned: Final[set[int]] = set()


@overload
def track(  # type: ignore[overload-overlap]  # a text is a sequence of texts, too
    path: Where, *, on_change: Change | None = None, output: bool = False, source: Source | None = None
) -> Path: ...
@overload
def track(
    path: Sequence[Where], *, on_change: Change | None = None, output: bool = False, source: Source | None = None
) -> list[Path]: ...
def track(
    path: Where | Sequence[Where],
    *,
    on_change: Change | None = None,
    output: bool = False,
    source: Source | None = None,
) -> Path | list[Path]:
    """Make sure that data lies at a path in the version that is pinned for it, or start to pin it; gives the path.

    >>> table = pandas.read_csv(datatool.track("data/table.csv"))
    >>> model.save(datatool.track("models/best.pt", output=True))
    >>> rates = json.loads(datatool.track("rates.json", source=download_rates).read_text())

    What is pinned and not there is fetched: from the cache, the remotes, or where it was imported from. What is there
    and not yet tracked is added. What is there as pinned costs one look. What datatool put there, while another version
    is pinned since, as after `git checkout`, is replaced by that one; where no commit names it, it is moved to
    `lost+found` first, or with `on_change` refused or kept. A file that git tracks is used as it is. Any
    other content is yours and is never replaced:
    `on_change` says whether it is recorded as the new version (`"add"`, the default), refused (`"error"`, the default
    where `CI` or `DATATOOL_FROZEN=1` is set: there nothing new is recorded), or used as it is (`"keep"`). No git commit
    is made, nothing is staged; one line tells what was recorded.

    `output=True` is for what the program is going to write: its directory is made, and what lies there when the program
    or its `with datatool.run()` ends is recorded, unless `on_change="keep"`. `source` is a function that makes the file
    where none is there and none is pinned: called with the path, or without if it takes none; it writes the file, or
    returns its text or bytes.

    A file, a directory, a file in a tracked directory, or a list of these. A relative path means: in the working
    directory if it or its pointer is there, else beside the calling file, else in the project's top directory, else, if
    it is new, the working directory. Outside any project, the path is given back, with one warning.

    Raises UsageError (a ValueError), Refused (a PermissionError), PathNotFound (a FileNotFoundError), and what
    `datatool.pull` of that path raises: RemoteError (a ConnectionError), PartlyDone where the remote lacks the content,
    DamageFound.
    """
    if isinstance(path, str | os.PathLike):
        return _track([path], on_change, output, source)[0]
    if isinstance(path, bytes | bytearray | memoryview) or not isinstance(path, Iterable):
        raise _no_path(path)
    return _track(list(path), on_change, output, source)


def _track(paths: Sequence[Where], on_change: str | None, output: bool, source: Source | None) -> list[Path]:
    if type(output).__name__ not in ("bool", "bool_"):  # NumPy's too
        raise UsageError(f"output takes True or False, not {output!r}", hint="output=True is for what will be written")
    unsaid = OnChange.KEEP if is_looking() else None
    rule = Rule(on_change=_on_change(on_change) or unsaid, frozen=is_frozen(os.environ))
    _check_source(source)
    if output:
        _check_output(rule, source)
    cwd = working_directory() or os.sep  # relative paths are not found from a deleted one
    places = [locate(_text(path), cwd=cwd, beside=calling_directory) for path in paths]
    for path, place in zip(paths, places, strict=True):
        warning = uncounted(_text(path), place.full, output=output)
        if warning is not None:
            warn(warning[0], hint=warning[1])
    arm_process_end()
    for root in dict.fromkeys(place.root for place in places):
        fulls = [place.full for place in places if place.root == root]
        if root is None:
            _outside(fulls, output, source)
        elif output:
            _expect(root, fulls, cwd, noted=rule.on_change is not OnChange.KEEP)
        else:
            _pin(root, fulls, cwd, rule, source)
    return [Path(place.full) for place in places]


def _on_change(word: str | None) -> OnChange | None:
    try:
        return None if word is None else OnChange(word)
    except ValueError:
        raise UsageError(f"on_change={word!r}: must be 'add', 'error' or 'keep'") from None


def _check_source(source: Source | None) -> None:
    if source is None:
        return
    if not callable(source):
        raise UsageError(f"source: must be a function that makes the file, not {type(source).__name__}")
    try:
        takes = inspect.signature(source)
    except ValueError:  # a function in C that does not tell
        return
    if not _takes(takes, Path()) and not _takes(takes):
        name = getattr(source, "__name__", type(source).__name__)
        raise UsageError(f"source: {name}{takes} must be callable with the path, or with nothing")


def _check_output(rule: Rule, source: Source | None) -> None:
    if source is not None:
        raise UsageError(
            "source and output=True exclude each other: either the function writes the file or the program does",
            hint="leave out one of the two",
        )
    if rule.on_change is OnChange.ERROR:
        raise UsageError(
            "on_change='error' and output=True exclude each other: an output is written before its change is seen",
            hint="on_change='keep' leaves the pointer of an output as it is",
        )


def _text(path: Where) -> str:
    name = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(name, str):
        raise _no_path(path)
    if not name or "\0" in name:
        raise UsageError(f"{name!r}: no path", hint="name a file or directory")
    if _URL.match(name):
        raise UsageError(
            f"{without_secrets(name)}: is a URL, and no path",
            hint="datatool import-url URL PATH downloads it and remembers where it is from; then track the path",
        )
    return name


def _no_path(given: object) -> TypeError:
    return TypeError(f"a path or a list of paths (str or os.PathLike), not {type(given).__name__}")


def _pin(root: Path, fulls: Sequence[str], cwd: str, rule: Rule, source: Source | None) -> None:
    run = current_run()
    with tracking(root) as tracker:
        paths = [tracker.path(full, cwd) for full in fulls]
        where = dict(zip(paths, fulls, strict=True))
        make = None if source is None else lambda path: _made(source, where[path])
        for result in tracker.track(paths, rule, make=make):
            if result.file is not None:
                run.note_input(root, result.file)
            line = tracker.line(result)
            if line is not None:
                say(line)
        tell_program(root, tracker.local)


def _expect(root: Path, fulls: Sequence[str], cwd: str, *, noted: bool) -> None:
    """Make ready for outputs; those that are not `noted` are not recorded when the program ends."""
    run = current_run()
    with tracking(root) as tracker:
        for full in fulls:
            path = tracker.path(full, cwd)
            tracker.expect(path, recorded=noted and not is_frozen(os.environ))
            make_parent(full)
            if noted:
                run.note_output(root, path)
        tell_program(root, tracker.local)


def _outside(fulls: Sequence[str], output: bool, source: Source | None) -> None:
    if os.getpid() not in _warned:
        _warned.add(os.getpid())
        warn(f"{fulls[0]}: in no datatool project, so it is used as it is", hint="datatool init makes one")
    for full in fulls:
        if output:
            make_parent(full)
        elif source is not None and not os.path.lexists(full):
            make_parent(full)
            _made(source, full)


def _made(source: Source, full: str) -> None:
    """Have a file made by the function that was given for that."""
    given = source(Path(full)) if _takes_a_path(source) else source()
    if isinstance(given, str):
        given = given.encode()
    if isinstance(given, bytes | bytearray | memoryview):
        write_made(full, given)
    elif not os.path.lexists(full):
        name = getattr(source, "__name__", "source")
        raise UsageError(
            f"{full}: {name} neither wrote it nor returned its text or bytes, but {type(given).__name__}", path=full
        )


def _takes_a_path(source: Source) -> bool:
    try:
        return _takes(inspect.signature(source), Path())
    except ValueError:  # a function in C that does not tell
        return True


def _takes(signature: inspect.Signature, *arguments: Path) -> bool:
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True
