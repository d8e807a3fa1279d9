"""Links in a batch, in place of copies."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from on_disk import files

import needs
from datatool.errors import LocalError
from datatool.localfs.batch import Batch, Published
from datatool.model.settings import Durability

BATCH = Durability.BATCH


def test_symlinks_are_made_and_replaced(tmp_path: Path) -> None:
    needs.linux()
    (tmp_path / "old").symlink_to("before")
    with Batch(tmp_path, durability=BATCH) as batch:
        batch.symlink(b"d/new", b"../\xfftarget", replace=False)
        batch.symlink(b"old", b"after", replace=True)
    assert os.readlink(os.fsencode(tmp_path / "d/new")) == b"../\xfftarget"
    assert os.readlink(tmp_path / "old") == "after"
    assert len(list(tmp_path.rglob("*"))) == 3


@pytest.mark.parametrize("replace", [True, False])
def test_a_read_only_file_is_linked_with_its_bytes_shared(tmp_path: Path, replace: bool) -> None:
    needs.linux()
    source = tmp_path / "source"
    source.write_bytes(b"data")
    source.chmod(0o444)
    heard: list[Published] = []
    for _ in range(2):  # the second time it is the same file already: a rename would then do nothing at all
        with Batch(tmp_path / "top", durability=BATCH, on_published=heard.extend) as batch:
            assert batch.adopt_link(b"d/f", os.fsencode(source), kind="hardlink", replace=replace)
        assert os.path.samefile(tmp_path / "top/d/f", source)
        assert os.listdir(tmp_path / "top/d") == ["f"]
    assert source.stat().st_nlink == 2
    assert heard[0].stat is not None


def test_a_file_is_linked_symbolically(tmp_path: Path) -> None:
    needs.linux()
    (tmp_path / "source").write_bytes(b"data")
    with Batch(tmp_path / "top", durability=BATCH) as batch:
        assert batch.adopt_link(b"f", os.fsencode(tmp_path / "source"), kind="symlink", replace=False)
    assert os.readlink(tmp_path / "top/f") == str(tmp_path / "source")


def test_a_file_that_can_be_written_to_is_not_hardlinked(tmp_path: Path) -> None:
    needs.linux()
    source = tmp_path / "source"
    source.write_bytes(b"data")
    source.chmod(0o644)
    with Batch(tmp_path / "top", durability=BATCH) as batch:
        assert not batch.adopt_link(b"f", os.fsencode(source), kind="hardlink", replace=False)


def test_a_file_of_somebody_else_is_not_hardlinked(tmp_path: Path) -> None:
    needs.linux()
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    source = tmp_path / "source"
    source.write_bytes(b"data")
    source.chmod(0o444)
    os.chown(source, 1234, 1234)
    with Batch(tmp_path / "top", durability=BATCH) as batch:
        assert not batch.adopt_link(b"f", os.fsencode(source), kind="hardlink", replace=False)


@pytest.mark.parametrize("code", ["EMLINK", "EXDEV", "EPERM", "EOPNOTSUPP"])
def test_where_a_link_is_not_possible_the_caller_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    needs.linux()
    source = tmp_path / "source"
    source.write_bytes(b"data")
    source.chmod(0o444)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(getattr(errno, code), code)

    monkeypatch.setattr(os, "link", refuse)
    with Batch(tmp_path / "top", durability=BATCH) as batch:
        assert not batch.adopt_link(b"f", os.fsencode(source), kind="hardlink", replace=False)
    assert files(tmp_path / "top") == {}


def test_a_missing_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LocalError), Batch(tmp_path / "top", durability=BATCH) as batch:
        batch.adopt_link(b"f", os.fsencode(tmp_path / "missing"), kind="hardlink", replace=False)
