"""`track()` of a file whose object in the cache was damaged: it heals from a remote, or says so."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

import datatool
from api.tracking import NEW, OLD
from world import World, objects_of


def pinned(desk: World, path: str, data: bytes) -> None:
    """A file whose content only the cache has."""
    desk.write(path, data)
    desk.ok("add", path)
    (desk.root / path).unlink()


def damage(desk: World, data: bytes) -> None:
    (target,) = objects_of(desk.cache, data)
    target.chmod(0o644)
    target.write_bytes(b"X" * len(data))


def nothing_pushed(desk: World) -> None:
    pass


def not_on_the_remote(desk: World) -> None:
    desk.write("other.csv", OLD)
    desk.ok("add", "other.csv")
    desk.ok("push", "other.csv")


def no_remote(desk: World) -> None:
    desk.ok("remote", "remove", "default")


def out_of_reach(desk: World) -> None:
    desk.ok("remote", "set", "default", "url=http://127.0.0.1:9/nobody", "--local")


@pytest.mark.parametrize(
    ("remote", "kind"),
    [
        (nothing_pushed, datatool.DamageFound),
        (not_on_the_remote, datatool.DamageFound),
        (no_remote, datatool.DamageFound),
        (out_of_reach, datatool.RemoteUnreachable),
    ],
)
def test_damage_in_the_cache_that_no_remote_heals_is_told_with_what_can_be_done(
    remote: Callable[[World], None], kind: type[datatool.DatatoolError], desk: World
) -> None:
    pinned(desk, "x.csv", NEW)
    remote(desk)
    damage(desk, NEW)
    with pytest.raises(kind) as caught:
        datatool.track("x.csv")
    corrupt = desk.cache / "corrupt"
    assert caught.value.message.startswith(
        f"x.csv: its object in the cache was damaged, and was set aside in {corrupt}; "
    )
    assert caught.value.path == "x.csv" and caught.value.hint
    assert [path.read_bytes() for path in corrupt.iterdir()] == [b"X" * len(NEW)]
    assert not desk.exists("x.csv")


def test_damage_is_told_before_what_else_can_not_be_fetched(desk: World) -> None:
    pinned(desk, "a.csv", OLD)
    pinned(desk, "x.csv", NEW)
    objects_of(desk.cache, OLD)[0].unlink()
    damage(desk, NEW)
    with pytest.raises(datatool.DamageFound) as caught:
        datatool.track(["a.csv", "x.csv"])
    assert caught.value.path == "x.csv"
    assert "x.csv: object" not in caught.value.message and "is not on the remote default" in caught.value.message


def test_damage_that_healed_is_no_reason_of_what_failed_beside_it(desk: World) -> None:
    pinned(desk, "x.csv", NEW)
    desk.ok("push")
    pinned(desk, "a.csv", OLD)
    objects_of(desk.cache, OLD)[0].unlink()
    damage(desk, NEW)
    with pytest.raises(datatool.PartlyDone) as caught:
        datatool.track(["a.csv", "x.csv"])
    assert caught.value.path == "a.csv" and "damaged" not in caught.value.message
    assert desk.read("x.csv") == NEW


def test_damage_in_the_cache_heals_from_a_remote_without_a_word(
    desk: World, capsys: pytest.CaptureFixture[str]
) -> None:
    pinned(desk, "x.csv", NEW)
    desk.ok("push")
    damage(desk, NEW)
    assert datatool.track("x.csv").read_bytes() == NEW
    assert "damaged" not in capsys.readouterr().err


def test_a_large_file_and_a_directory_heal_in_the_same_call(desk: World) -> None:
    large = NEW * (3 << 20)
    desk.write("d/y.bin", large[1:])
    pinned(desk, "x.bin", large)
    desk.ok("add", "d")
    shutil.rmtree(desk.root / "d")
    desk.ok("push")
    damage(desk, large)
    damage(desk, large[1:])
    assert datatool.track("x.bin").read_bytes() == large
    assert (datatool.track("d") / "y.bin").read_bytes() == large[1:]
