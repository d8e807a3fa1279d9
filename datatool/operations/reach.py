"""How the data of a registry may be reached, in the words of the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from datatool.config.load import Config, load_config
from datatool.errors import UsageError
from datatool.project.project import Project


class Reach(Struct, frozen=True, kw_only=True):
    """How a registry's data may be reached: `remote` is a URL to read from instead of what the registry names, with
    `settings` (`K=V` each)."""

    remote: str | None = None
    settings: Sequence[str] = ()
    offline: bool = False
    jobs: int | None = None

    def given(self) -> dict[str, str] | None:
        """The settings of the remote that the user typed; None without one. Raises UsageError."""
        if self.remote is None:
            if self.settings:
                raise UsageError("--set needs --remote URL", hint="--remote URL --set K=V")
            return None
        found = {"url": self.remote}
        for text in self.settings:
            key, equals, value = text.partition("=")
            if not equals or not key or not value:
                raise UsageError(f"--set {text}: not K=V", hint="such as --set endpoint_url=https://…")
            found[key] = value
        return found


_NO = frozenset({"", "0", "false", "no", "off"})


def offline_by(environ: Mapping[str, str]) -> bool:
    """Whether the environment forbids the network."""
    return environ.get("DATATOOL_OFFLINE", "").lower() not in _NO


def settings_here(project: Project | None, *, flags: Mapping[str, str], environ: Mapping[str, str]) -> Config:
    """The configuration that holds: the project's, or the user's alone where there is none."""
    if project is not None:
        return project.config
    return load_config(root=None, local_dir=None, flags=flags, environ=environ)
