"""The Python interface over what DVC and Git LFS keep."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote

import fsspec
import pytest

import datatool
from registry.dvc.dvc_world import EXPECTED, Project, unpack
from registry.lfs_world import LfsWorld


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of no project, and a user with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    here = tmp_path / "nowhere"
    here.mkdir()
    monkeypatch.chdir(here)
    return tmp_path


def test_a_project_of_dvc_is_read_by_every_function(nowhere: Path) -> None:
    (nowhere / "made").mkdir()
    songs = unpack(nowhere / "made") / "songs"
    for rev, told in EXPECTED["songs"].items():
        known = {path: sha256 for path, sha256 in told["files"].items() if sha256 is not None}
        fs = fsspec.filesystem("datatool")
        host = f"{quote(str(songs), safe='')}@{rev}"
        for path, sha256 in known.items():
            assert hashlib.sha256(datatool.read(path, repo=songs, rev=rev, mode="rb")).hexdigest() == sha256
            assert hashlib.sha256(fs.cat_file(f"{host}/{path}")).hexdigest() == sha256
        listed = {entry.path for entry in datatool.list(repo=songs, rev=rev, recursive=True) if entry.kind == "file"}
        assert known.keys() <= listed
    assert (datatool.path("music/songs", repo=songs, rev="v2") / "a.txt").read_bytes() == b"a, again\n"


def test_an_object_of_dvc_has_a_url(nowhere: Path) -> None:
    project = Project.make(nowhere)
    project.track("a.bin", b"one")
    project.track("gone.bin", b"two")
    commit = project.commit()
    found = Path(datatool.get_url("a.bin", repo=project.top, rev=commit))
    assert project.store in found.parents and found.read_bytes() == b"one"
    for path in project.store.rglob("*"):
        if path.is_file() and path.read_bytes() == b"two":
            path.unlink()
    with pytest.raises(datatool.UrlNotFound, match="is not in remote"):
        datatool.get_url("gone.bin", repo=project.top)
    with pytest.raises(datatool.UrlNotFound, match="git"):
        datatool.get_url("a.bin.dvc", repo=project.top)


def test_files_of_git_lfs_are_read_and_not_their_pointers(nowhere: Path) -> None:
    world = LfsWorld(top=nowhere)
    world.make({"songs/a.bin": b"alpha", "b.bin": b"beta" * 1000})
    world.keep("songs/a.bin")
    world.keep("b.bin")
    assert datatool.read("songs/a.bin", repo=world.work) == "alpha"
    assert datatool.path("b.bin", repo=world.work).read_bytes() == b"beta" * 1000
    [entry] = datatool.list("songs", repo=world.work)
    assert (entry.origin, entry.size) == ("lfs", 5)
    fs = fsspec.filesystem("datatool")
    assert fs.info(f"{quote(str(world.work), safe='')}/b.bin")["size"] == 4000
    with pytest.raises(datatool.UrlNotFound, match="lfs"):
        datatool.get_url("b.bin", repo=world.work)
