"""What becomes of results of stages: how long they hold, who may read them, and what damage does."""

from __future__ import annotations

import os
import pickle

import pytest

from api.staging import Code, kept, one
from datatool.api.trackers import close_trackers
from datatool.errors import UsageError
from world import World


def test_computed_and_kept_never_differ(code: Code) -> None:
    f = one(code, "import pandas; return pandas.DataFrame({'a': [1, 2]}, index=['x', 'y'])", 'format="parquet"').f
    first, second = f(), f()
    assert first.equals(second) and list(second.columns) == ["a"] and list(second.index) == ["x", "y"]
    assert first is not second


def test_a_value_that_its_format_can_not_hold_is_refused_and_named(code: Code, desk: World) -> None:
    f = one(code, "return (1, 2)", 'format="json"').f
    with pytest.raises(UsageError, match=r"stage f: .*json"):
        f()
    assert not kept(desk)


def test_a_result_holds_as_long_as_its_ttl(code: Code, monkeypatch: pytest.MonkeyPatch) -> None:
    from datatool.operations.stage import results as stage_results

    f = one(code, "return 1", 'ttl="2h"').f
    with code.running("f"):
        f()
        f()
    now = stage_results.time.time()
    monkeypatch.setattr(stage_results.time, "time", lambda: now + 7300)
    with code.running("f"):
        f()


def test_a_damaged_result_runs_the_stage_again_with_a_warning(
    code: Code, desk: World, caplog: pytest.LogCaptureFixture
) -> None:
    f = one(code, "return 'some text'").f
    f()
    close_trackers()
    oid = kept(desk)[0].outputs[0].oid
    path = desk.cache / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_bytes(b"other text")
    with code.running("f"):
        assert f() == "some text"
    assert "stage f" in caplog.text


def test_a_pickle_is_read_only_by_the_user_who_made_it(code: Code, desk: World) -> None:
    f = one(code, "return (1, {2})").f
    with code.running("f"):
        assert (f(), f()) == ((1, {2}), (1, {2}))
    assert kept(desk)[0].stage.format == "pickle"  # type: ignore[union-attr]
    key = desk.home / ".cache/datatool/stage.key"
    assert key.stat().st_mode & 0o077 == 0
    key.unlink()
    with code.running("f"):
        assert f() == (1, {2})


class Bomb:
    def __reduce__(self) -> object:
        return os.mkdir, ("bomb",)


@pytest.mark.parametrize("declared", ["", 'format="pickle"', 'format="json"'])
def test_a_record_that_somebody_else_made_runs_no_code(code: Code, desk: World, declared: str) -> None:
    """A poisoned result: the right fingerprint, a pickle that does something, no seal of this user."""
    import dataclasses

    from datatool.hashing import digest
    from datatool.stages.run_store import save_run

    f = one(code, "return [1]", declared).f
    f()
    close_trackers()
    from datatool.operations.open_project import open_project

    mine = kept(desk)[0]
    data = pickle.dumps(Bomb())
    with open_project(str(desk.root), flags={}, environ=desk.env) as project:
        project.cache.keep([(digest(data), data)])
        for form in ("pickle", "json"):
            assert mine.stage is not None
            stage = dataclasses.replace(mine.stage, format=form, library="plain", seal=mine.stage.seal)
            output = dataclasses.replace(mine.outputs[0], oid=digest(data), size=len(data))
            save_run(
                project.cache, dataclasses.replace(mine, outputs=(output,), stage=stage, started="2099-01-01T00:00:00Z")
            )
    assert f() == [1]
    assert not (desk.root / "bomb").exists()
