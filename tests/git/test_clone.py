"""Cloning through the user's own git."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from datatool.errors import GitError, NotFoundError, RemoteDenied, RemoteUnreachable, UnsafeInput, UsageError
from datatool.git import clone as module
from datatool.git.clone import clone, default_directory
from datatool.git.command import GitResult
from datatool.git.transport import shown_url
from repositories import commit, git, repository, write


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository with one commit."""
    top = repository(tmp_path / "origin")
    write(top, "a.dt")
    commit(top)
    return top


def test_a_clone_is_what_git_clone_makes(origin: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "copy"
    assert clone(str(origin), target, progress_to_stderr=False) == target
    assert (target / "a.dt").exists()
    assert git(target, "remote", "get-url", "origin").decode().strip() == str(origin)


def test_a_relative_directory_is_meant_from_here(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    clone("origin", Path("copy"), progress_to_stderr=False)
    assert (tmp_path / "copy" / "a.dt").exists()


def test_progress_goes_to_stderr_only_when_it_is_wanted(
    origin: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    clone(str(origin), tmp_path / "quiet", progress_to_stderr=False)
    assert capfd.readouterr() == ("", "")
    clone(f"file://{origin}", tmp_path / "loud", progress_to_stderr=True)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "Receiving objects" in shown.err


def test_a_clone_started_inside_a_hook_is_a_repository_of_its_own(
    origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = repository(tmp_path / "own")
    monkeypatch.setenv("GIT_DIR", str(own / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(own / ".git" / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(own))
    clone(str(origin), tmp_path / "copy", progress_to_stderr=False)
    assert (tmp_path / "copy" / ".git" / "index").exists()
    assert not (own / ".git" / "index").exists()


def test_a_directory_with_something_in_it_is_refused_before_git_starts(origin: Path, tmp_path: Path) -> None:
    target = tmp_path / "full"
    target.mkdir()
    (target / "mine").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        clone(str(origin), target, progress_to_stderr=False)
    assert os.listdir(target) == ["mine"]


@pytest.mark.parametrize("relay", [False, True])
def test_a_repository_that_does_not_exist_is_not_found(tmp_path: Path, relay: bool) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        clone(str(tmp_path / "nowhere"), tmp_path / "copy", progress_to_stderr=relay)
    assert not (tmp_path / "copy").exists()


def test_a_server_that_nobody_runs_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(RemoteUnreachable) as caught:
        clone("http://user:hunter2@127.0.0.1:1/x.git", tmp_path / "copy", progress_to_stderr=False)
    assert "hunter2" not in caught.value.message


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize(
    "url", ["ext::sh -c touch% {canary}", "fd::17", "--upload-pack=touch {canary};git-upload-pack"]
)
def test_a_url_runs_no_command(tmp_path: Path, url: str) -> None:
    canary = tmp_path / "canary"
    with pytest.raises((GitError, NotFoundError, RemoteUnreachable)):
        clone(url.format(canary=canary), tmp_path / "copy", progress_to_stderr=False)
    assert not canary.exists()


@pytest.mark.parametrize(
    "url", ["https://evil%0ahost=github.com/x", "https://a%0D/x", "https://a%00/x", "a\nb", "a\x7fb"]
)
def test_a_url_with_control_characters_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(UnsafeInput, match="control characters"):
        clone(url, tmp_path / "copy", progress_to_stderr=False)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("fatal: Authentication failed for 'https://host/x/'", RemoteDenied),
        ("git@host: Permission denied (publickey).\nfatal: Could not read from remote repository.", RemoteDenied),
        ("fatal: could not read Username for 'https://host': terminal prompts disabled", RemoteDenied),
        ("Host key verification failed.\nfatal: Could not read from remote repository.", RemoteDenied),
        ("fatal: unable to access 'https://h/': The requested URL returned error: 403", RemoteDenied),
        ("remote: Repository not found.\nfatal: repository 'https://h/x/' not found", NotFoundError),
        ("fatal: '/x' does not appear to be a git repository", NotFoundError),
        ("fatal: unable to access 'https://h/': Could not resolve host: h", RemoteUnreachable),
        (
            "ssh: connect to host h port 22: Connection refused\nfatal: Could not read from remote repository.",
            RemoteUnreachable,
        ),
        ("fatal: something else", GitError),
    ],
)
def test_what_git_says_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, kind: type[Exception]
) -> None:
    monkeypatch.setattr(module, "run_git", lambda *words, **options: GitResult(128, b"", said.encode()))
    with pytest.raises(kind) as caught:
        clone("https://host/x", tmp_path / "copy", progress_to_stderr=False)
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.com/team/songs.git", "songs"),
        ("git@example.com:songs.git", "songs"),
        ("host:songs", "songs"),
        ("/srv/git/songs/.git", "songs"),
        ("../songs/", "songs"),
        ("file:///x/so ngs.git/", "so ngs"),
    ],
)
def test_a_clone_is_named_as_git_names_it(url: str, name: str) -> None:
    assert default_directory(url) == name


@pytest.mark.parametrize("url", ["/", "..", "x/..", ".git"])
def test_a_url_without_a_name_needs_one_from_the_user(url: str) -> None:
    with pytest.raises(UsageError, match="no directory name"):
        default_directory(url)


def test_a_url_that_looks_like_an_option_is_a_url(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="repository '--bare' does not exist"):
        clone("--bare", tmp_path / "copy", progress_to_stderr=False)


def test_a_url_is_shown_without_its_password() -> None:
    assert shown_url("https://user:token@host/x\x1b[2J") == shown_url("https://host/x\x1b[2J")
    assert "token" not in shown_url("https://user:token@host/x")
