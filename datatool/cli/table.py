"""Every command with its module and its one-line summary, and the options that all commands share.

This table is the second of three doors for imports at first use: `datatool --help` is printed from it alone, and only
the chosen command's module is imported. So nothing is imported here, not even `typing` (8 ms).
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

START = "Start"
EVERYDAY = "Everyday"
OTHERS = "Other people's data"
RUNS = "Runs"
PYTHON = "Python"
REPAIR = "Repair"

GROUPS = (START, EVERYDAY, RUNS, PYTHON, OTHERS, REPAIR)
"""The headings of `datatool --help`, in order."""


class Row:
    """One command: where its code is, what it does, under which heading it is listed."""

    __slots__ = ("attribute", "group", "module", "summary")

    def __init__(self, module: str, attribute: str, summary: str, group: str) -> None:
        self.module = f"datatool.cli.commands.{module}"
        self.attribute = attribute
        self.summary = summary
        self.group = group


class Family:
    """A command that only has subcommands, such as `remote`."""

    __slots__ = ("group", "members", "summary")

    def __init__(self, summary: str, group: str, members: Mapping[str, Row]) -> None:
        self.summary = summary
        self.group = group
        self.members = members


class GlobalOption:
    """An option that every command takes, before and after its name; `metavar` is None for a switch."""

    __slots__ = ("flags", "help", "metavar", "name")

    def __init__(self, name: str, flags: tuple[str, ...], metavar: str | None, help: str) -> None:
        self.name = name
        self.flags = flags
        self.metavar = metavar
        self.help = help


GLOBAL_OPTIONS = (
    GlobalOption("directory", ("-C",), "DIR", "Run as if started in DIR"),
    GlobalOption("quiet", ("-q", "--quiet"), None, "Print results and errors only"),
    GlobalOption("verbose", ("-v", "--verbose"), None, "Say more; -vv adds tracebacks"),
    GlobalOption("json", ("--json",), None, "Print one JSON document instead of text"),
    GlobalOption("no_progress", ("--no-progress",), None, "Show no progress"),
    GlobalOption("offline", ("--offline",), None, "Forbid the network (also DATATOOL_OFFLINE=1)"),
)

HELP_FLAGS = ("-h", "--help")

COMMANDS: Mapping[str, Row | Family] = {
    "init": Row("init", "init", "Make the git repository around a directory a project", START),
    "clone": Row("clone", "clone", "Clone a project with git and pull its data", START),
    "migrate": Row("migrate", "migrate", "Turn a project of DVC or Git LFS into one of ours", START),
    "remote": Family(
        "Add, list, change, check and copy remotes",
        START,
        {
            "add": Row("remote", "add", "Add a remote", START),
            "list": Row("remote", "list_", "List the remotes", START),
            "set": Row("remote", "set_", "Change settings of a remote", START),
            "remove": Row("remote", "remove", "Forget a remote", START),
            "rename": Row("remote", "rename", "Rename a remote", START),
            "default": Row("remote", "default", "Choose the default remote", START),
            "check": Row("remote", "check", "Prove what a remote can do", START),
            "copy": Row("remote_copy", "copy", "Copy one remote to another", START),
        },
    ),
    "config": Family(
        "Read and change settings",
        START,
        {
            "get": Row("config", "get", "Print one setting", START),
            "set": Row("config", "set_", "Change one setting", START),
            "unset": Row("config", "unset", "Remove one setting", START),
            "list": Row("config", "list_", "List all settings", START),
        },
    ),
    "completion": Row("completion", "completion", "Print the completion script for a shell", START),
    "add": Row("add", "add", "Track files or directories", EVERYDAY),
    "status": Row("status", "status", "Show what has changed, what is here and what is pushed", EVERYDAY),
    "diff": Row("diff", "diff", "Show added, modified, deleted and renamed files", EVERYDAY),
    "log": Row("log", "log", "Show the versions of an artifact", EVERYDAY),
    "checkout": Row("checkout", "checkout", "Make the workspace match the pointers", EVERYDAY),
    "push": Row("push", "push", "Send objects from the cache to a remote", EVERYDAY),
    "fetch": Row("fetch", "fetch", "Bring objects from a remote into the cache", EVERYDAY),
    "pull": Row("pull", "pull", "Fetch, then check out", EVERYDAY),
    "edit": Row("edit", "edit", "Make linked, read-only data writable", EVERYDAY),
    "move": Row("move", "move", "Move data, pointer and ignore line together", EVERYDAY),
    "remove": Row("remove", "remove", "Stop tracking", EVERYDAY),
    "run": Row("run", "run", "Run a command, and record what it read and made", RUNS),
    "reproduce": Row("reproduce", "reproduce", "Make artifacts again from the records of their runs", RUNS),
    "why": Row("stage", "why", "Tell why a stage would run, or that it would not", PYTHON),
    "stage": Family(
        "Look at results of stages and forget them",
        PYTHON,
        {
            "list": Row("stage", "list_", "List the results of stages that are kept here", PYTHON),
            "why": Row("stage", "stage_why", "Tell why a stage would run, or that it would not", PYTHON),
            "graph": Row("stage", "graph", "Show the stages that a stage needs, and which results are kept", PYTHON),
            "clean": Row("stage", "clean", "Forget results of stages, so that they are made again", PYTHON),
        },
    ),
    "list": Row("list_", "list_", "List git-tracked and data files together", OTHERS),
    "get": Row("get", "get", "Download from a registry", OTHERS),
    "import": Row("import_", "import_", "Get from a registry, and remember the source", OTHERS),
    "get-url": Row("get_url", "get_url", "Download a file or directory from a URL", OTHERS),
    "import-url": Row("import_url", "import_url", "Download from a URL, and remember it", OTHERS),
    "update": Row("update", "update", "Bring imports up to date", OTHERS),
    "registry": Family(
        "Give names to registries",
        OTHERS,
        {
            "add": Row("registry", "add", "Give a registry a name", OTHERS),
            "list": Row("registry", "list_", "List the registries that have a name", OTHERS),
            "remove": Row("registry", "remove", "Forget a registry's name", OTHERS),
        },
    ),
    "cache": Family(
        "Look at the cache and clean it",
        REPAIR,
        {
            "info": Row("cache", "info", "Show what the cache holds", REPAIR),
            "dir": Row("cache", "dir_", "Print where the cache is", REPAIR),
            "key": Row(
                "cache", "key", "Print a key that is equal where the data is, to keep the cache under in CI", REPAIR
            ),
            "clean": Row("cache", "clean", "Remove what can be made again, never an object of the project", REPAIR),
        },
    ),
    "gc": Row("gc", "gc", "Free the cache of what nobody needs", REPAIR),
    "doctor": Row("doctor", "doctor", "Check git, links, cache and remotes, for a bug report", REPAIR),
}

COMPLETE = "__complete"
"""The hidden command that completion scripts call; it is listed nowhere."""


def every_row() -> Iterator[tuple[str, Row]]:
    """All commands that do something, families' members as `remote add`."""
    for name, item in COMMANDS.items():
        if isinstance(item, Family):
            for member, row in item.members.items():
                yield f"{name} {member}", row
        else:
            yield name, item


REMOTE_STATUS = ("datatool.operations.remote_status", "what_remotes_have")
SOURCE_STATUS = ("datatool.operations.remote_status", "what_sources_have")
"""The parts of `status` that `--remote` needs: without it, no command that stays here loads what talks to remotes."""
SCRIPT_TARGETS = ("datatool.operations.scripts", "meant_by")
SCRIPT_RECORDS = ("datatool.operations.script_records", "bring_named")
"""What scripts and notebooks among paths stand for: only where one is named, code is read."""
PROJECT_LIST = ("datatool.operations.list_", "list_entries")
REGISTRY_LIST = ("datatool.operations.registry_list", "list_registry")
OWN_COMMIT_LIST = ("datatool.operations.registry_list", "list_own_commit")
"""The parts of `list`: it reads this project, another repository, or this one at a revision."""


def part(place: tuple[str, str]) -> Callable[..., object]:
    """A function that only some options of a command need, imported when one of them is given."""
    found: Callable[..., object] = getattr(import_module(place[0]), place[1])
    return found
