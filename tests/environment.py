"""The environment that tests run in: nothing of the user's."""

from __future__ import annotations

import os
from pathlib import Path

import datatool

PACKAGE = str(Path(datatool.__file__).parents[1])
"""Where the datatool under test lies; commands run as processes use the same one."""

KEPT = ("PATH", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "TMPDIR", "TMP", "TEMP", "LD_LIBRARY_PATH")
"""What tests keep of the environment they were started in. `CI` is not among it: it would freeze `track()`."""


GIT_CONFIG = """\
[user]
	name = Tester
	email = tester@example.org
[init]
	defaultBranch = main
	templateDir =
[protocol "file"]
	allow = always
[commit]
	gpgsign = false
[core]
	autocrlf = false
[gc]
	auto = 0
"""


def clean_environment(home: Path) -> dict[str, str]:
    """An environment without the user's settings: its own home, its own git configuration, no DATATOOL_*."""
    config = home / "gitconfig"
    if not config.exists():
        config.write_text(GIT_CONFIG)
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return kept | {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "APPDATA": str(home / "appdata"),
        "LOCALAPPDATA": str(home / "localappdata"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "XDG_STATE_HOME": str(home / ".local" / "state"),
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": PACKAGE,
    }
