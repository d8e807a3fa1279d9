"""`datatool.open` and `datatool.read`: what they give, where they find it, what they refuse."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import pytest

import datatool
from api.conftest import BIG, TABLE, clone, enter, user_cache
from measure import cost
from world import World


def damage(path: Path) -> None:
    """Change one byte, as a failing disk does."""
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


# ---- what is read


def test_text_is_read_as_the_builtin_open_would(study: World) -> None:
    study.write("notes.txt", "grüße\r\nzwei\r\n".encode("latin-1"))
    study.ok("add", "notes.txt")
    with datatool.open("notes.txt", encoding="latin-1") as file:
        assert isinstance(file, io.TextIOWrapper)
        assert list(file) == ["grüße\n", "zwei\n"]
    assert datatool.read("notes.txt", encoding="latin-1") == (study.root / "notes.txt").read_text("latin-1")
    with pytest.raises(UnicodeDecodeError):
        datatool.read("notes.txt", encoding="utf-8")


def test_bytes_are_read_as_they_are_and_anywhere(study: World) -> None:
    with datatool.open("big.bin", mode="rb") as file:
        assert file.size == len(BIG)
        file.seek(-10, io.SEEK_END)
        assert file.read() == BIG[-10:]
        file.seek(1000)
        assert file.read(5) == BIG[1000:1005]
    assert datatool.read("table.csv", mode="rb") == TABLE


def test_a_file_needs_no_with_and_outlives_the_project(study: World) -> None:
    file = datatool.open("big.bin", mode="rb")
    shutil.rmtree(study.cache)
    assert file.read() == BIG
    file.close()


def test_edits_that_nobody_recorded_are_not_read(study: World) -> None:
    study.write("table.csv", b"edited\n")
    study.write("data/a.txt", b"edited\n")
    assert datatool.read("table.csv", mode="rb") == TABLE
    assert datatool.read("data/a.txt") == "alpha\n"
    study.ok("add", "table.csv")
    assert datatool.read("table.csv") == "edited\n"


def test_a_revision_is_read_as_it_was(study: World) -> None:
    study.write("table.csv", b"new\n")
    study.write("README.md", b"about more\n")
    study.ok("add", "table.csv")
    study.commit("second")
    assert datatool.read("table.csv") == "new\n"
    assert datatool.read("table.csv", rev="v1", mode="rb") == TABLE
    assert datatool.read("README.md") == "about more\n"
    assert datatool.read("README.md", rev="HEAD~1") == "about\n"
    with pytest.raises(datatool.RevisionNotFound):
        datatool.read("table.csv", rev="v9")


def test_files_of_a_directory_are_read_by_their_path(study: World) -> None:
    assert datatool.read("data/deep/b.txt") == "beta\n"
    assert datatool.read("data/deep/b.txt", rev="v1") == "beta\n"
    assert datatool.read("data/link") == "beta\n", "a symlink leads to its file"


def test_files_that_git_tracks_are_read_from_the_work_tree(study: World) -> None:
    study.write("README.md", b"edited\n")
    (study.root / "docs").symlink_to("data")
    (study.root / "LIESMICH").symlink_to("README.md")
    study.git("add", "-A")
    assert datatool.read("README.md") == "edited\n"
    assert datatool.read("LIESMICH") == "edited\n"
    assert datatool.read("docs/a.txt") == "alpha\n", "a link to a tracked directory leads into it"
    assert datatool.read("table.csv.dt").startswith("datatool: 1")


@pytest.mark.parametrize("rev", [None, "HEAD"])
def test_a_symlink_that_leads_out_is_not_followed(study: World, rev: str | None) -> None:
    (study.top / "secret").write_bytes(b"secret")
    (study.root / "out").symlink_to("../secret")
    study.commit()
    with pytest.raises(FileNotFoundError, match="leads out"):
        datatool.read("out", rev=rev)


# ---- which path is meant


def test_paths_start_here_and_then_at_the_top(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    study.write("data/table.csv", b"inner\n")
    study.ok("add", "data")
    monkeypatch.chdir(study.root / "data")
    assert datatool.read("table.csv") == "inner\n"
    assert datatool.read("../table.csv", mode="rb") == TABLE
    assert datatool.read("big.bin", mode="rb") == BIG, "not here, so from the top"
    assert datatool.read("deep/b.txt", rev="v1") == "beta\n"


def test_an_absolute_path_tells_the_project(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study.top)
    assert datatool.read(study.root / "data/deep/b.txt") == "beta\n"
    with pytest.raises(datatool.ProjectNotFound):
        datatool.read("table.csv")


def test_what_does_not_exist_is_a_file_not_found_with_the_nearest_name(study: World) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        datatool.open("tabel.csv")
    assert isinstance(caught.value, datatool.PathNotFound)
    assert "table.csv" in (caught.value.hint or "")
    for path, rev in (("data/none.txt", None), ("table.csv/x", None), ("tabel.csv", "v1"), ("data/none.txt", "v1")):
        with pytest.raises(datatool.PathNotFound):
            datatool.open(path, rev=rev)


@pytest.mark.parametrize("path", ["data", "data/deep", ".", "data/empty"])
@pytest.mark.parametrize("rev", [None, "v1"])
def test_a_directory_is_not_opened(study: World, path: str, rev: str | None) -> None:
    with pytest.raises(IsADirectoryError) as caught:
        datatool.open(path, rev=rev)
    assert isinstance(caught.value, datatool.IsDirectory)


@pytest.mark.parametrize("mode", ["w", "wb", "a", "x", "r+", "rb+"])
def test_nothing_can_be_written(study: World, mode: str) -> None:
    with pytest.raises(PermissionError) as caught:
        datatool.open("table.csv", mode=mode)
    assert isinstance(caught.value, datatool.DatatoolError)
    with datatool.open("table.csv", mode="rb") as file, pytest.raises(io.UnsupportedOperation):
        file.write(b"x")


def test_a_call_that_makes_no_sense_is_a_value_error(study: World) -> None:
    for options in ({"mode": "q"}, {"mode": "rb", "encoding": "utf-8"}, {"rev": ""}):
        with pytest.raises(ValueError):
            datatool.open("table.csv", **options)  # type: ignore[call-overload]


# ---- where the bytes come from


def test_what_the_cache_lacks_is_fetched_and_only_that(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = clone(study)
    enter(copy, monkeypatch)
    assert datatool.read("data/deep/b.txt") == "beta\n"
    assert not (copy.root / "data").exists(), "the work tree is left alone"
    assert datatool.read("big.bin", mode="rb") == BIG
    study.remote.rename(study.top / "away")
    assert datatool.read("big.bin", mode="rb") == BIG
    assert datatool.read("big.bin", rev="v1", mode="rb") == BIG
    with pytest.raises(datatool.RemoteError):
        datatool.read("table.csv")


def test_an_old_revision_is_fetched_from_where_the_remote_is_now(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    study.remote.rename(study.top / "moved")
    copy = clone(study)
    copy.ok("remote", "set", "default", "--local", f"url={study.top / 'moved'}")
    enter(copy, monkeypatch)
    assert datatool.read("table.csv", rev="v1", mode="rb") == TABLE
    assert datatool.read("data/a.txt", rev="v1") == "alpha\n"


def test_the_remote_to_read_from_can_be_named(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    study.ok("remote", "add", "spare", str(study.top / "spare"))
    study.ok("push", "-r", "spare")
    study.commit()
    copy = clone(study)
    enter(copy, monkeypatch)
    study.remote.rename(study.top / "away")
    assert datatool.read("table.csv", remote="spare", mode="rb") == TABLE
    assert datatool.read("data/deep/b.txt", remote="spare") == "beta\n"
    assert datatool.read("data/a.txt", rev="v1", remote="spare") == "alpha\n"
    with pytest.raises(datatool.RemoteNotFound):
        datatool.read("big.bin", remote="spear", mode="rb")


def test_a_damaged_object_in_the_cache_is_fetched_again(study: World) -> None:
    loose = max((study.cache / "objects").rglob("*"), key=lambda path: path.stat().st_size * path.is_file())
    damage(loose)
    assert datatool.read("big.bin", mode="rb") == BIG


def test_wrong_bytes_are_never_given(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = clone(study)
    enter(copy, monkeypatch)
    damage(max((study.remote / "objects").rglob("*"), key=lambda path: path.stat().st_size * path.is_file()))
    with pytest.raises(datatool.DamageFound):
        datatool.open("big.bin", mode="rb")


# ---- registries


def test_a_registry_is_read_by_path_url_and_alias(study: World, elsewhere: World) -> None:
    assert datatool.read("table.csv", repo=study.root, mode="rb") == TABLE
    assert datatool.read("data/deep/b.txt", repo=f"file://{study.root}", rev="v1") == "beta\n"
    assert datatool.read("README.md", repo="../project") == "about\n"
    elsewhere.ok("registry", "add", "songs", str(study.root))
    assert datatool.read("data/link", repo="songs") == "beta\n"
    with pytest.raises(FileNotFoundError, match="sogns"):
        datatool.read("x", repo="sogns")


def test_a_registry_is_read_as_committed(study: World, elsewhere: World) -> None:
    study.write("table.csv", b"new\n")
    study.ok("add", "table.csv")
    study.ok("push")
    assert datatool.read("table.csv", repo=study.root, mode="rb") == TABLE
    study.commit()
    assert datatool.read("table.csv", repo=study.root) == "new\n"
    assert datatool.read("table.csv", repo=study.root, rev="v1", mode="rb") == TABLE


def test_errors_of_a_registry_are_those_of_a_project(study: World, elsewhere: World) -> None:
    with pytest.raises(datatool.PathNotFound) as caught:
        datatool.open("tabel.csv", repo=study.root)
    assert "table.csv" in (caught.value.hint or "")
    with pytest.raises(IsADirectoryError):
        datatool.open("data", repo=study.root)
    with pytest.raises(datatool.RevisionNotFound):
        datatool.open("table.csv", repo=study.root, rev="v2")


def test_a_registry_whose_remote_is_gone_is_read_from_the_one_that_is_named(study: World, elsewhere: World) -> None:
    moved = study.remote.rename(study.top / "moved")
    with pytest.raises(datatool.DatatoolError):
        datatool.read("table.csv", repo=study.root)
    assert datatool.read("table.csv", repo=study.root, remote=str(moved), mode="rb") == TABLE


def test_what_is_on_this_machine_already_is_not_fetched_again(
    study: World, elsewhere: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    datatool.read("big.bin", repo=study.root, mode="rb")
    assert list((user_cache(study) / "objects/objects").rglob("*"))
    study.remote.rename(study.top / "away")
    assert datatool.read("big.bin", repo=study.root, mode="rb") == BIG, "it is in the user's cache"
    enter(study, monkeypatch)
    assert datatool.read("big.bin", mode="rb") == BIG, "and the project, which has lost it, takes it from there"
    shutil.rmtree(user_cache(study))
    (study.top / "cache-that-was").rename(study.top / "kept")
    assert datatool.read("big.bin", repo=f"file://{study.root}", mode="rb") == BIG, "and the other way round"


def test_an_import_is_read_from_where_it_came(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    other = World(study.top, name="other", init=False)
    other.root.mkdir()
    other.git("init", "-q")
    other.ok("init")
    other.ok("import", str(study.root), "data", "-o", "got")
    other.commit()
    enter(other, monkeypatch)
    shutil.rmtree(other.cache)
    shutil.rmtree(user_cache(other), ignore_errors=True)
    assert datatool.read("got/deep/b.txt") == "beta\n"


# ---- memory


READS = """
import datatool
with datatool.open("huge.bin", mode="rb") as file:
    while file.read(1 << 20):
        pass
"""


@pytest.mark.slow
def test_a_large_object_is_never_in_memory(study: World) -> None:
    with (study.root / "huge.bin").open("wb") as file:
        file.truncate(1 << 30)
    study.ok("add", "huge.bin")
    study.commit()
    study.ok("push")
    copy = clone(study)
    read = cost(copy, program=[sys.executable, "-P", "-c", READS])
    assert read.code == 0, read.err
    assert read.mib < 200
