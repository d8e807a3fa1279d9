"""Where something ran: Python, the platform, and the versions of the packages that were imported. Nothing else of the
environment is recorded: its variables hold secrets."""

from __future__ import annotations

import getpass
import platform
import sys
from collections.abc import Iterable

from datatool.model.run import RunEnvironment
from datatool.stages.packages import versions_of


def environment_of(modules: Iterable[str]) -> RunEnvironment:
    """This Python, this machine, and the versions of the packages that modules (by their full names) belong to."""
    return RunEnvironment(
        python=platform.python_version(), platform=platform.platform(), packages=versions_of(_tops(modules))
    )


def host() -> str:
    """This machine's name."""
    return platform.node()


def user() -> str:
    """Who runs this; empty where nobody can tell, as in a container without a user list."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _tops(modules: Iterable[str]) -> set[str]:
    tops = {name.partition(".")[0] for name in modules}
    return {name for name in tops if name not in sys.stdlib_module_names and not name.startswith("_")}
