"""Running the user's own `git`: the one place that says how it is started.

Every call has the same manners: no question is asked where nobody could answer, messages come in English so that
they can be told apart, no lock is taken only to read. Calls that only read switch hooks and fsmonitor off, so that
looking at a repository runs nothing of it. `foreign=True` is for a repository that is not the project's own: what the
environment says about the own one (`GIT_DIR` inside a hook, …) is left out, and transports that run commands are shut.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from datatool.errors import GitError
from datatool.model.paths import show

# `import subprocess` costs 12 ms, a whole call of git 1.3 ms; so it is left out where a program starts without it.
if sys.platform == "linux" and hasattr(os, "memfd_create"):
    from datatool.git.process import run_process
else:
    from datatool.git.process_portable import run_process

_QUIET = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_FOREIGN = ("-c", "safe.bareRepository=explicit", "-c", "protocol.ext.allow=never", "-c", "protocol.fd.allow=never")

_PATHSPEC_MODES = ("GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS")
"""They would change what the paths we pass mean."""

# `git rev-parse --local-env-vars`, and the numbered GIT_CONFIG_KEY_n, GIT_CONFIG_VALUE_n. GIT_CONFIG_GLOBAL,
# GIT_CONFIG_SYSTEM, GIT_CONFIG_NOSYSTEM stay: they say which file is the user's own configuration.
_OWN_ONLY = (
    "GIT_(DIR|WORK_TREE|COMMON_DIR|INDEX_FILE|INDEX_VERSION|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|PREFIX"
    "|NAMESPACE|GRAFT_FILE|SHALLOW_FILE|IMPLICIT_WORK_TREE|INTERNAL_SUPER_PREFIX|NO_REPLACE_OBJECTS|REPLACE_REF_BASE"
    "|QUARANTINE_PATH|ATTR_SOURCE|CONFIG|CONFIG_PARAMETERS|CONFIG_COUNT|CONFIG_KEY_.*|CONFIG_VALUE_.*)"
)

_SECRET = r"(://)[^/@\s'\"]*@"
_FOLLOWING = ("hint: ", "Use '--' ", "'git <command> ")


class GitResult(NamedTuple):
    """How a git command ended: its exit code, what it printed, what it complained about."""

    code: int
    out: bytes
    err: bytes

    def fields(self) -> list[bytes]:
        """The output of a `-z` command, split at its NULs."""
        return self.out.split(b"\0")[:-1]


def run_git(
    arguments: Sequence[str | bytes],
    *,
    cwd: Path,
    input: bytes | None = None,
    check: bool = True,
    environ: Mapping[str, str] | None = None,
    foreign: bool = False,
    reads: bool = True,
    relay: bool = False,
    output: int | None = None,
) -> GitResult:
    """Run git with these arguments in a directory and wait for it.

    `environ` stands in for this process's environment. `reads=False` says that the command changes the repository, so
    the user's hooks and fsmonitor stay as configured. `relay` passes what git prints on to our stderr as it comes (the
    progress of a clone) and returns it as `err`; `output` is an open file for what it prints, which is not returned
    then. Raises GitError when git is missing, or fails and `check` is on.

        run_git(["rev-parse", "HEAD"], cwd=Path("."))
    """
    surroundings = os.environ if environ is None else environ
    program = git_program(surroundings.get("PATH", os.defpath))
    if program is None:
        raise GitError("git is not installed, or not on PATH", hint="install git, then run the command again")
    options = ["-C", os.fspath(cwd), *(_QUIET if reads else ()), *(_FOREIGN if foreign else ())]
    line = [os.fsencode(word) for word in [program, *options, *arguments]]
    try:
        code, out, err = run_process(
            line, environment(surroundings, foreign=foreign), input, relay=relay, output=output
        )
    except OSError as error:
        said = error.strerror or str(error)
        raise GitError(f"git could not be started: {said}", hint="git --version should work") from error
    result = GitResult(code, out, err)
    if check and code != 0:
        raise failure(arguments, result)
    return result


def environment(environ: Mapping[str, str], *, foreign: bool = False) -> dict[str, str]:
    """The environment git gets, made from ours."""
    result = {
        name: value
        for name, value in environ.items()
        if name not in _PATHSPEC_MODES and not (foreign and re.fullmatch(_OWN_ONLY, name))
    }
    result["LC_ALL"] = "C"
    result.pop("LANGUAGE", None)
    result["GIT_OPTIONAL_LOCKS"] = "0"
    if not has_terminal():
        result["GIT_TERMINAL_PROMPT"] = "0"
    if foreign:
        # A directory or another scheme is allowed by the caller who knows that the user typed it.
        result.setdefault("GIT_ALLOW_PROTOCOL", "https:ssh")
        result["GIT_LFS_SKIP_SMUDGE"] = "1"
    return result


def failure(arguments: Sequence[str | bytes], result: GitResult) -> GitError:
    """The error for a git command that failed, in git's own words."""
    said = complaint(result.err)
    words = [os.fsdecode(word) for word in arguments]
    verb = next((word for word in words if not word.startswith("-") and "=" not in word), "")
    if not said:
        said = f"stopped by signal {-result.code}" if result.code < 0 else f"exit code {result.code}"
    return GitError(f"git {verb} failed: {said}")


def complaint(err: bytes) -> str:
    """What git complained about, on one line, without secrets and without its advice."""
    lines = [line.strip() for line in err.decode("utf-8", "surrogateescape").splitlines()]
    told = [line for line in lines if line and not line.startswith(_FOLLOWING)]
    # With `fatal:` or `error:` lines, the others are progress and warnings.
    main = [line for line in told if line.startswith(("fatal: ", "error: "))] or told
    text = "; ".join(line.removeprefix("fatal: ").removeprefix("error: ") for line in main[:3])
    return show(re.sub(_SECRET, r"\1", text))


def run_beside(name: str, words: Sequence[str], *, environ: Mapping[str, str]) -> GitResult | None:
    """Run a program that git itself would (ssh, a shell) and wait for it; None where it is not installed."""
    program = name if os.path.isabs(name) else program_at(name, environ.get("PATH", os.defpath))
    if program is None:
        return None
    try:
        return GitResult(*run_process([os.fsencode(word) for word in [program, *words]], environ, None, relay=False))
    except OSError:
        return None


def git_program(path: str) -> str | None:
    """Where git is, by the directories of a PATH."""
    return program_at("git", path)


@lru_cache(maxsize=8)
def program_at(name: str, path: str) -> str | None:
    """Where a program is, by the directories of a PATH; relative ones are never searched, as they may be a
    stranger's."""
    names = (f"{name}.exe", f"{name}.com") if os.name == "nt" else (name,)
    for directory in path.split(os.pathsep):
        if os.path.isabs(directory):
            for name in names:
                candidate = os.path.join(directory, name)
                if os.access(candidate, os.X_OK) and os.path.isfile(candidate):
                    return candidate
    return None


def has_terminal() -> bool:
    """Whether a person can be asked."""
    # git asks on the controlling terminal, whatever stdin is; a person is there when stdin and stderr are theirs.
    return os.isatty(0) and os.isatty(2)
