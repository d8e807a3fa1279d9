"""Make a git repository a project."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from datatool.config.edit import refuse_secret, set_value
from datatool.errors import GitError, LocalError, Refused, UsageError
from datatool.git.left_out import Absence, absent_files
from datatool.git.staging import stage
from datatool.git.worktree import Unsafe, Worktree, discover
from datatool.git.worktree import init as git_init
from datatool.localfs.atomic import make_dirs, write_file
from datatool.model.settings import Durability
from datatool.operations.result import Result
from datatool.progress import SILENT, Progress
from datatool.project.absent import absent_config, no_work_tree
from datatool.project.project import CONFIG, FOLDER, IGNORE, open_project
from datatool.remote.url import DIRECTORY, parse_url
from datatool.workspace.ignore_rules import DEFAULT_IGNORE

README = """\
This project keeps its data with datatool: every `*.dt` file in git is a small pointer that stands for a file or
directory of data, which lies outside git. To get the data, install datatool from its repository (Python 3.11 or
newer), then run `datatool pull` here; `datatool pull PATH` gets only a part of it. To record your changes, run
`datatool add PATH`, commit the pointer with git, and run `datatool push`.
The settings in this directory are shared with everybody who clones the repository.
"""
ATTRIBUTES = ("*.dt text eol=lf", ".gitignore merge=union")
FILES = (f"{FOLDER}/{CONFIG}", f"{FOLDER}/.gitignore", f"{FOLDER}/README.md", IGNORE, ".gitattributes")
"""What every project has; those that are not there are made."""
ROLES = ("source", "intermediate", "result", "code")
_DURABILITY = Durability.BATCH


@dataclass(frozen=True, kw_only=True, slots=True)
class InitResult(Result):
    """`created` is false when it was a project already; `written` are the files made or changed."""

    root: str
    created: bool
    git_initialised: bool
    project: str
    written: tuple[str, ...]
    remote: str | None


def init(directory: Path, *, remote: str | None = None, roles: bool = False, progress: Progress = SILENT) -> InitResult:
    """Make the git repository around `directory` a project, running `git init` first where there is none.

    With `remote` a directory or URL becomes the default remote; with `roles` a folder for each role of data is made.
    A directory that is not there is made. Idempotent. Raises UsageError, LocalError where git refuses the repository,
    Refused for a bare one and for a project whose configuration is only not checked out.
    """
    if remote is not None:
        refuse_secret("remotes.default.url", remote)
    if os.path.exists(directory) and not directory.is_dir():
        raise UsageError(f"{directory}: not a directory", hint="name a directory, or a new one", path=str(directory))
    make_dirs(directory)
    found = discover(directory)
    if isinstance(found, Unsafe):
        raise LocalError(found.reason, hint=f"git config --global --add safe.directory {found.top}")
    _refuse_hidden(directory, found)
    git_initialised = found is None
    worktree = git_init(directory) if found is None else found
    root = worktree.top
    if remote is not None:
        remote = _from_root(remote, root=root, cwd=Path.cwd())
    elsewhere = {name for name, why in absent_files(worktree, FILES).items() if why is Absence.SPARSE}
    written: list[str] = []
    config = root / FOLDER / CONFIG
    created = not config.exists()
    if created:
        set_value(config, "project", str(uuid.uuid4()))
        written.append(f"{FOLDER}/{CONFIG}")
    for name, text in (
        (f"{FOLDER}/.gitignore", "/local/\n"),
        (f"{FOLDER}/README.md", README),
        (IGNORE, DEFAULT_IGNORE),
    ):
        if not (root / name).exists() and name not in elsewhere:
            write_file(root / name, text.encode(), durability=_DURABILITY)
            written.append(name)
    if ".gitattributes" not in elsewhere and _attributes(root / ".gitattributes"):
        written.append(".gitattributes")
    if roles:
        written += _roles(root)
    with open_project(root, flags={}, environ={}) as project:
        if project.config.project is None:
            set_value(config, "project", str(uuid.uuid4()))
            written.append(f"{FOLDER}/{CONFIG}")
        added = remote is not None and _add_remote(
            project.config.remotes(), config, remote, has_default=project.config.default_remote is not None
        )
        if added and f"{FOLDER}/{CONFIG}" not in written:
            written.append(f"{FOLDER}/{CONFIG}")
        staging = project.config.flag("git.stage")
    if written and staging:
        _stage(worktree, written, progress)
    with open_project(root, flags={}, environ={}) as project:
        return InitResult(
            root=os.fspath(root),
            created=created,
            git_initialised=git_initialised,
            project=project.config.project or "",
            written=tuple(sorted(written)),
            remote=remote,
        )


def _refuse_hidden(directory: Path, found: Worktree | None) -> None:
    """Refuse to make a project where git already has one that is not checked out, or where nothing can be."""
    if found is None:
        told = no_work_tree(directory, found)
    else:
        told = absent_config(found, directory, f"{FOLDER}/{CONFIG}")
    if told is not None:
        raise Refused(told[0], hint=told[1])


def _attributes(path: Path) -> bool:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        text = b""
    lines = [line.strip() for line in text.splitlines()]
    missing = [line for line in ATTRIBUTES if line.encode() not in lines]
    if missing:
        if text and not text.endswith(b"\n"):
            text += b"\n"
        write_file(path, text + "".join(line + "\n" for line in missing).encode(), durability=_DURABILITY)
    return bool(missing)


def _roles(root: Path) -> list[str]:
    """A folder for each role, kept in git by a `.gitkeep`, as git has no empty directories."""
    made = []
    for role in ROLES:
        keep = root / "data" / role / ".gitkeep" if role != "code" else root / "code" / ".gitkeep"
        if not keep.parent.exists():
            make_dirs(keep.parent)
            write_file(keep, b"", durability=_DURABILITY)
            made.append(keep.relative_to(root).as_posix())
    return made


def _add_remote(remotes: dict[str, dict[str, str]], config: Path, url: str, *, has_default: bool) -> bool:
    if any(settings.get("url") == url for settings in remotes.values()):
        return False
    name = "default"
    number = 2
    while name in remotes:
        name, number = f"default{number}", number + 1
    set_value(config, f"remotes.{name}.url", url)
    if not has_default:
        set_value(config, "remote", name)
    return True


def _from_root(url: str, *, root: Path, cwd: Path) -> str:
    """A relative directory as it was typed here, from the project's root, which settings are relative to.

    Raises UsageError for what is no URL.
    """
    place = parse_url(url, root=cwd)
    typed = Path(os.path.expanduser(url))
    if place.protocol != DIRECTORY or "://" in url or typed.is_absolute():
        return url
    return Path(os.path.relpath(place.path, root)).as_posix()


def _stage(worktree: Worktree, written: list[str], progress: Progress) -> None:
    try:
        stage(worktree, [os.fsencode(name) for name in written])
    except GitError as error:
        progress.warn(error.message, hint=error.hint)
