"""What real DVC listed and got of projects that it made, and what we read of them, are the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from registry.dvc.dvc_world import ALL, EXPECTED, Place


@pytest.mark.parametrize(("name", "rev"), ALL)
def test_offers_are_what_dvc_lists(made_by_dvc: Path, place: Place, name: str, rev: str) -> None:
    there = place.everything(str(made_by_dvc / name), rev)
    top = [reader for reader in there.readers if reader.root == b""]
    found = {offer.path.decode() for reader in top for offer in reader.offers(b"") if offer.problem is None}
    files = EXPECTED[name][rev]["files"]
    assert found == {path for path, sha256 in files.items() if sha256 is not None}
    assert found <= set(EXPECTED[name][rev]["listed"])


@pytest.mark.parametrize(("name", "rev"), ALL)
def test_what_is_brought_is_what_dvc_gets(made_by_dvc: Path, place: Place, name: str, rev: str) -> None:
    found = place.bring(place.everything(str(made_by_dvc / name), rev))
    for path, sha256 in EXPECTED[name][rev]["files"].items():
        if sha256 is not None:
            data = found[path]
            assert isinstance(data, bytes), data
            assert hashlib.sha256(data).hexdigest() == sha256, path


@pytest.mark.parametrize(("name", "rev"), ALL)
def test_each_path_alone_is_found_as_it_is_among_all(made_by_dvc: Path, place: Place, name: str, rev: str) -> None:
    everything = place.everything(str(made_by_dvc / name), rev).dvc_offers()
    for offer in everything:
        alone = place.everything(str(made_by_dvc / name), rev).dvc_offers(offer.path)
        assert [(one.path, one.kind) for one in alone] == [(offer.path, offer.kind)]
