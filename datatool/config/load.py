"""Reading the configuration: which value holds for a key, and where it comes from.

A flag comes before the environment, then the local file (in the git directory), the project's (committed), the
user's, and last the default.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from msgspec import Struct

from datatool.config.keys import (
    KEYS,
    Kind,
    Scope,
    durability,
    is_name,
    links,
    lookup,
    names,
    rate,
    switch,
    whole_number,
)
from datatool.config.places import user_config_dir
from datatool.errors import DatatoolError, FormatError, ReadFailed, UsageError
from datatool.formats.config_file import LIMIT, parse_config
from datatool.model.paths import show
from datatool.model.settings import Durability, LinkMethod

T = TypeVar("T")

FILE: Final = "config.yaml"
"""The name of a configuration file, in whichever directory."""
PROJECT_FOLDER: Final = ".datatool"
"""Where a project keeps its committed configuration."""

FLAG: Final = "flag"
ENVIRONMENT: Final = "environment"
DEFAULT: Final = "default"

_PREFIX: Final = "DATATOOL_"
_UNNAMED: Final = {row.pattern.upper().replace(".", "_"): row.pattern for row in KEYS if ".NAME." not in row.pattern}
_NAMED: Final = tuple(tuple(row.pattern.split(".NAME.")) for row in KEYS if ".NAME." in row.pattern)


class Setting(NamedTuple):
    """A value and where it comes from: `origin` is a word (flag, environment, local, project, user, default),
    `place` the flag, variable or file for people."""

    value: str
    origin: str
    place: str


class Config(Struct, frozen=True, dict=True):
    """The settings that hold. `settings` has what is set anywhere, by flat key, without the defaults; `ignored` says,
    one sentence each, what a file held and was not used; `root` is the project's, from where its relative paths are."""

    settings: Mapping[str, Setting]
    ignored: tuple[str, ...] = ()
    root: Path | None = None

    def get(self, key: str) -> str | None:
        """The value of a key, its default, or None. Raises UsageError for a key that isn't in the table."""
        row = lookup(key)
        if row is None:
            raise UsageError(f"{show(key)}: no such setting", hint="datatool config list shows those that are set")
        found = self.settings.get(key)
        return row.default if found is None else found.value

    def flag(self, key: str) -> bool:
        """A switch; False when it has no value and no default."""
        return bool(self._meant(key, switch, Kind.SWITCH))

    def number(self, key: str) -> int | None:
        """A number, or bytes per second; None when not set."""
        row = lookup(key)
        if row is not None and row.kind is Kind.RATE:
            return self._meant(key, rate, Kind.RATE)
        return self._meant(key, whole_number, Kind.NUMBER)

    def origin(self, key: str) -> str:
        """Where the value comes from, in one word: flag, environment, local, project, user or default."""
        found = self.settings.get(key)
        return DEFAULT if found is None else found.origin

    def items(self) -> list[tuple[str, str, str]]:
        """All that holds, as (key, value, origin), sorted; defaults too, and `(hidden)` for what is secret."""
        every = {
            row.pattern: (row.default, DEFAULT)
            for row in KEYS
            if row.default is not None and ".NAME." not in row.pattern
        }
        for key, setting in self.settings.items():
            row = lookup(key)
            every[key] = ("(hidden)" if row is not None and row.secret else setting.value, setting.origin)
        return [(key, value, origin) for key, (value, origin) in sorted(every.items())]

    def remotes(self) -> dict[str, dict[str, str]]:
        """The settings of each remote by name, secrets included: what is set, without defaults."""
        return self._named("remotes")

    def registries(self) -> dict[str, dict[str, str]]:
        """The settings of each registry by name: what is set, without defaults."""
        return self._named("registries")

    @property
    def project(self) -> str | None:
        """The project's id, written by `init`."""
        return self.get("project")

    @property
    def default_remote(self) -> str | None:
        """The name of the remote that is meant when none is named."""
        return self.get("remote")

    @property
    def read_first(self) -> tuple[str, ...]:
        """The names of remotes to read from, in the order to try, before an artifact's own or the default one."""
        return self._meant("read", names, Kind.NAMES) or ()

    @property
    def mirrors(self) -> tuple[str, ...]:
        """The names of remotes to which every push goes too."""
        return tuple(name for name in self.remotes() if self.flag(f"remotes.{name}.mirror"))

    @cached_property
    def link_methods(self) -> tuple[LinkMethod, ...]:
        """How files in the workspace may share bytes with the cache, in the order to try."""
        return self._meant("cache.link", links, Kind.LINKS) or (LinkMethod.COPY,)

    @cached_property
    def durability(self) -> Durability:
        """What is synced to disk before it counts as done."""
        return self._meant("durability", durability, Kind.DURABILITY) or Durability.BATCH

    def _meant(self, key: str, read: Callable[[str], T | None], kind: Kind) -> T | None:
        """Read a value as what its key holds. It is judged here, not while loading, so that a wrong one stops only
        those who need it, and never the command that mends it."""
        text = self.get(key)
        if text is None:
            return None
        meant = read(text)
        if meant is not None:
            return meant
        found = self.settings[key]
        message = f"{show(found.place)}: {show(key)} must be {kind}, not '{show(text[:80])}'"
        if found.origin in (FLAG, ENVIRONMENT):
            raise UsageError(message)
        raise FormatError(message, hint=f"datatool config set --{found.origin} {show(key)} VALUE", path=found.place)

    def _named(self, group: str) -> dict[str, dict[str, str]]:
        named: dict[str, dict[str, str]] = {}
        for key in sorted(self.settings):
            first, _, rest = key.partition(".")
            if first == group:
                name, _, last = rest.rpartition(".")
                named.setdefault(name, {})[last] = self.settings[key].value
        return named


def load_config(
    *,
    root: Path | None,
    local_dir: Path | None,
    flags: Mapping[str, str],
    environ: Mapping[str, str],
    user_dir: Path | None = None,
) -> Config:
    """Read what is configured for the project at `root`, with local settings in `local_dir`; None without a project.

    `flags` are keys that options set. A `DATATOOL_` variable sets a key written upper case with `_` for `.`:
    `DATATOOL_CACHE_LINK`, `DATATOOL_REMOTES_ORIGIN_TOKEN`. Raises FormatError for a file that does not read.
    """
    if user_dir is None:
        user_dir = user_config_dir(environ)
    files = [(Scope.USER, user_dir / FILE, os.fspath(user_dir / FILE))]
    if root is not None:
        files.append((Scope.PROJECT, root / PROJECT_FOLDER / FILE, f"{PROJECT_FOLDER}/{FILE}"))
    if local_dir is not None:
        files.append((Scope.LOCAL, local_dir / FILE, os.fspath(local_dir / FILE)))
    settings: dict[str, Setting] = {}
    ignored: list[str] = []
    for scope, path, place in files:
        try:
            values = _read(path, place)
        except PermissionError:
            ignored.append(f"{show(place)}: no permission to read it")
            continue
        for key, value in values.items():
            row = lookup(key)
            if row is None or not value:
                continue  # a later version's, or not set
            if scope in row.scopes:
                _forget_trust(key, value, settings, root)
                settings[key] = Setting(value, scope.value, place)
            else:
                ignored.append(f"{show(place)}: {show(key)} is never taken from there")
        if scope is Scope.USER:
            ignored += [f"{show(place)}: {show(key)} is of no URL" for key in _trust_in_nothing(settings)]
    for key, value, name in _from_environment(environ, settings):
        settings[key] = Setting(value, ENVIRONMENT, name)
    for key, value in flags.items():
        settings[key] = Setting(value, FLAG, f"--{key}")
    return Config(settings, tuple(ignored), root)


def _trust_in_nothing(own: dict[str, Setting]) -> list[str]:
    """Take away the user's trust in names that the user gives no URL, so that it is not in whatever a project does."""
    keys = [key for key in own if key.startswith("registries.") and key.endswith(".trust")]
    found = [key for key in keys if f"{key.removesuffix('trust')}url" not in own]
    for key in found:
        del own[key]
    return found


def _forget_trust(key: str, value: str, known: dict[str, Setting], root: Path | None) -> None:
    """Where a project gives a registry's name to another URL than the user did, that one was not trusted."""
    group, _, rest = key.partition(".")
    if group == "registries" and rest.endswith(".url") and key in known:
        users = known[key].value
        inside = os.path.realpath(os.path.join(root, value)) if root is not None else value  # where it is a path
        if users != value and os.path.realpath(users) != inside:
            known.pop(key.removesuffix("url") + "trust", None)


def _read(path: Path, place: str) -> dict[str, str]:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise FormatError(f"{show(place)}: not a file", path=place)
        with open(path, "rb") as file:
            data = file.read(LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        if isinstance(error, DatatoolError | PermissionError):
            raise
        raise ReadFailed(f"{show(place)}: {error.strerror}", path=place) from error
    return parse_config(data, name=place)


def _from_environment(environ: Mapping[str, str], known: Mapping[str, Setting]) -> Iterator[tuple[str, str, str]]:
    """What variables set, as (key, value, variable); an empty one sets nothing."""
    for variable in sorted(environ):
        if variable.startswith(_PREFIX) and environ[variable]:
            rest = variable[len(_PREFIX) :]
            key = _UNNAMED.get(rest) or _named_key(rest, known)
            if key is not None:
                yield key, environ[variable], variable


def _named_key(rest: str, known: Mapping[str, Setting]) -> str | None:
    """The key of `REMOTES_MY_NAS_URL`: `remotes.my-nas.url` if there is a remote of that name, else `my_nas`."""
    fitting = [
        (group, last)
        for group, last in _NAMED
        if rest.startswith(group.upper() + "_") and rest.endswith("_" + last.upper())
    ]
    if not fitting:
        return None
    group, last = max(fitting, key=lambda pair: len(pair[1]))
    name = rest[len(group) + 1 : -len(last) - 1]
    for key in sorted(known):
        first, _, tail = key.partition(".")
        there = tail.rpartition(".")[0]
        if first == group and re.sub(r"[.-]", "_", there).upper() == name:
            return f"{group}.{there}.{last}"
    return f"{group}.{name.lower()}.{last}" if is_name(name) else None
