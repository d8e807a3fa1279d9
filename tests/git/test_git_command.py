"""How git is started: what it gets of the environment, and what becomes of its failures."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from datatool.errors import GitError
from datatool.git import process_portable
from datatool.git.command import complaint, environment, git_program, run_git
from repositories import git, repository, write

Runner = Callable[..., tuple[int, bytes, bytes]]


def runners() -> list[Runner]:
    found: list[Runner] = [process_portable.run_process]
    if sys.platform == "linux":
        from datatool.git import process

        found.append(process.run_process)
    return found


@pytest.fixture(params=runners(), ids=lambda runner: runner.__module__.rpartition(".")[2])
def run(request: pytest.FixtureRequest) -> Runner:
    """Both ways to start a program."""
    found: Runner = request.param
    return found


def python(*words: str) -> list[bytes]:
    return [os.fsencode(word) for word in (sys.executable, "-c", *words)]


def test_a_program_gets_its_input_and_gives_both_outputs(run: Runner) -> None:
    script = (
        "import sys; data = sys.stdin.buffer.read(); sys.stderr.write(str(len(data))); sys.stdout.buffer.write(data)"
    )
    data = os.urandom(3 << 20)
    assert run(python(script), os.environ, data, relay=False) == (0, data, str(len(data)).encode())


def test_a_program_that_complains_much_while_it_prints_much_never_hangs(run: Runner) -> None:
    script = "import sys\nfor _ in range(40): sys.stdout.write('o' * 50000); sys.stderr.write('e' * 50000)"
    code, out, err = run(python(script), os.environ, None, relay=False)
    assert (code, len(out), len(err)) == (0, 2_000_000, 2_000_000)


def test_a_program_without_input_reads_nothing_of_ours(run: Runner) -> None:
    script = "import sys; print(len(sys.stdin.read()))"
    assert run(python(script), os.environ, None, relay=False) == (0, b"0\n", b"")


def test_a_programs_exit_code_and_signal_are_told_apart(run: Runner) -> None:
    assert run(python("import sys; sys.exit(3)"), os.environ, None, relay=False)[0] == 3
    assert run(python("import os; os.kill(os.getpid(), 9)"), os.environ, None, relay=False)[0] == -9


@pytest.mark.skipif(sys.platform != "linux", reason="tests a facility of Linux")
def test_a_program_is_not_made_deaf_to_a_closed_pipe(run: Runner) -> None:
    out = run([b"/bin/cat", b"/proc/self/status"], os.environ, None, relay=False)[1]
    ignored = next(int(line.split()[1], 16) for line in out.splitlines() if line.startswith(b"SigIgn"))
    assert not ignored & (1 << signal.SIGPIPE - 1)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="needs POSIX signals")
def test_an_interrupt_ends_the_program_too(run: Runner, tmp_path: Path) -> None:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(
                python(
                    f"import os, signal; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()));"
                    "os.kill(os.getppid(), signal.SIGUSR1); signal.pause()"
                ),
                os.environ,
                None,
                relay=False,
            )
    finally:
        signal.signal(signal.SIGUSR1, before)
    with pytest.raises(ProcessLookupError):  # gone, and waited for
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_relayed_output_is_passed_on_and_returned(run: Runner, capfd: pytest.CaptureFixture[str]) -> None:
    script = "import sys; sys.stderr.write('progress')"
    assert run(python(script), os.environ, None, relay=True) == (0, b"", b"progress")
    assert capfd.readouterr() == ("", "progress")


def test_git_that_is_missing_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="not installed") as caught:
        run_git(["version"], cwd=tmp_path, environ={"PATH": str(tmp_path)})
    assert caught.value.hint


def test_git_is_never_taken_from_a_relative_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trap = tmp_path / "git"
    trap.write_text("#!/bin/sh\n")
    trap.chmod(trap.stat().st_mode | stat.S_IXUSR)
    monkeypatch.chdir(tmp_path)
    assert git_program(os.pathsep.join([".", ""])) is None
    assert git_program(str(tmp_path)) == str(trap)


def test_a_failing_git_says_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="git log failed: not a git repository"):
        run_git(["-c", "a.b=c", "log"], cwd=tmp_path)


def test_a_failure_may_be_looked_at_instead_of_raised(tmp_path: Path) -> None:
    assert run_git(["log"], cwd=tmp_path, check=False).code == 128


def test_a_complaint_is_one_line_without_passwords_and_control_characters() -> None:
    said = b"Cloning\nwarning: x\nfatal: unable to access 'https://user:hunter2@host/x': \x1b[31mno\nhint: try again\n"
    text = complaint(said)
    assert "hunter2" not in text and "\x1b" not in text and "Cloning" not in text
    assert text.startswith("unable to access 'https://host/x'")


def test_the_environment_of_a_hook_is_kept_for_the_own_repository_and_cleaned_for_others() -> None:
    hook = {"GIT_DIR": ".git", "GIT_INDEX_FILE": "i", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "a.b"}
    user = {"GIT_CONFIG_GLOBAL": "/g", "GIT_SSH_COMMAND": "ssh -v", "https_proxy": "p"}
    own = environment({**hook, **user})
    other = environment({**hook, **user}, foreign=True)
    assert hook.items() <= own.items() and user.items() <= own.items()
    assert not hook.keys() & other.keys() and user.items() <= other.items()
    assert other["GIT_ALLOW_PROTOCOL"] == "https:ssh"


def test_git_speaks_english_so_that_its_messages_can_be_told_apart() -> None:
    made = environment({"LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de", "LANG": "de_DE.UTF-8"})
    assert made["LC_ALL"] == "C"
    assert "LANGUAGE" not in made


def test_git_never_asks_where_nobody_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "isatty", lambda fd: False)
    assert environment({})["GIT_TERMINAL_PROMPT"] == "0"
    monkeypatch.setattr(os, "isatty", lambda fd: True)
    assert "GIT_TERMINAL_PROMPT" not in environment({})


def test_reading_a_repository_runs_nothing_that_its_configuration_names(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    canary = tmp_path / "ran"
    program = tmp_path / "monitor"
    program.write_text(f"#!/bin/sh\ntouch '{canary}'\n")
    program.chmod(0o755)
    git(top, "config", "core.fsmonitor", str(program))
    write(top, "a.dt")
    run_git(["status", "--porcelain"], cwd=top)
    assert not canary.exists()
    run_git(["status", "--porcelain"], cwd=top, reads=False)
    assert canary.exists()


def test_pathspec_settings_of_the_user_do_not_change_what_our_paths_mean() -> None:
    assert "GIT_LITERAL_PATHSPECS" not in environment({"GIT_LITERAL_PATHSPECS": "1"})
