"""Results of stages on the project's remote: a team computes once, and asks there once for what it lacks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api.executing import pipeline
from api.staging import Code, coding, kept
from api.tracking import run_python
from datatool.api.trackers import close_trackers
from datatool.formats.run_record import encode_run
from datatool.hashing import digest
from datatool.operations.open_project import open_project
from datatool.operations.stage.share import Sharing
from datatool.progress import SILENT
from network.places import Place, s3_place
from servers.fixtures import S3Server
from servers.http_connection import Request
from world import Ran as Said
from world import World

SHARED = """\
import datatool

def ran(name):
    with open({log!r}, "a") as file:
        file.write(name + " 0\\n")

@datatool.stage(raw=datatool.File("raw.txt"), format="json"SHARE)
def words(raw):
    ran("words")
    return raw.read_text().split()

@datatool.stage(found=words, format="json"SHARE)
def count(found):
    ran("count")
    return len(found)

@datatool.stage(number=count, format="json"SHARE)
def twice(number):
    ran("twice")
    return 2 * number

if __name__ == "__main__":
    import sys
    print(globals()[sys.argv[1]]())
"""

WITH_OPTION = SHARED.replace("SHARE", ", share=True")
PLAIN = SHARED.replace("SHARE", "")


@pytest.fixture
def place(s3_server: S3Server) -> Place:
    return s3_place(s3_server)


@pytest.fixture
def study(desk: World, place: Place) -> World:
    """A project with its remote in S3."""
    place.add_to(desk)
    return desk


def ask(world: World, stage: str) -> Said:
    """Call a stage in a process of its own."""
    done = run_python(world, str(world.root / "job.py"), stage)
    assert done.code == 0, done
    return done


def lookups(requests: list[Request]) -> list[str]:
    """What was asked for of the names that lead from fingerprints to records."""
    return [request.target for request in requests if request.method == "GET" and "runs%2F" in request.target]


def colleague(study: World, place: Place | None = None) -> World:
    """Somebody's clone, in which nothing was pulled."""
    study.ok("push")
    copy = study.clone() if place is None else place.join(study.clone())
    copy.env.pop("CI", None)
    return copy


def test_what_one_has_computed_nobody_else_computes(study: World, place: Place, s3_server: S3Server) -> None:
    ran = pipeline(study, WITH_OPTION, name="job.py")
    assert ask(study, "twice").out == "8\n"
    assert ran.take() == {"words": 1, "count": 1, "twice": 1}
    copy = colleague(study, place)
    s3_server.reset()
    assert ask(copy, "twice").out == "8\n"
    assert ran.take() == {}
    assert len(lookups(s3_server.requests)) == 3, "one for each result"
    s3_server.reset()
    assert ask(copy, "twice").out == "8\n"
    assert s3_server.requests == []
    assert not copy.exists("raw.txt"), "the input was not needed"


def test_a_result_that_nobody_has_costs_one_request_before_it_is_made(
    study: World, place: Place, s3_server: S3Server
) -> None:
    ran = pipeline(study, WITH_OPTION, name="job.py")
    ask(study, "words")
    copy = colleague(study, place)
    ran.take()
    s3_server.reset()
    ask(copy, "count")
    assert ran.take() == {"count": 1}
    assert len(lookups(s3_server.requests)) == 2, "one for each of words and count"
    assert ask(study, "count").out == "4\n"
    assert ran.take() == {}, "and it goes both ways"


def test_the_setting_shares_what_says_nothing_of_it(desk: World) -> None:
    desk.ok("config", "set", "stages.share", "true")
    ran = pipeline(desk, PLAIN, name="job.py")
    ask(desk, "twice")
    copy = colleague(desk)
    ran.take()
    assert ask(copy, "twice").out == "8\n"
    assert ran.take() == {}


def test_without_either_no_result_leaves_this_machine(desk: World) -> None:
    ran = pipeline(desk, PLAIN, name="job.py")
    ask(desk, "twice")
    assert not desk.remote.exists(), "nobody was asked, and nothing sent"
    ask(colleague(desk), "twice")
    assert ran.take() == {"words": 2, "count": 2, "twice": 2}


def test_a_stage_that_says_no_is_not_shared_by_the_setting(desk: World) -> None:
    desk.ok("config", "set", "stages.share", "true")
    ran = pipeline(desk, SHARED.replace("SHARE", ", share=False"), name="job.py")
    ask(desk, "twice")
    assert ran.take() == {"words": 1, "count": 1, "twice": 1}
    assert not desk.remote.exists()


def test_while_the_remote_is_down_everybody_computes_and_hears_of_it(desk: World) -> None:
    ran = pipeline(desk, WITH_OPTION, name="job.py")
    desk.ok("remote", "set", "default", "url=s3://bucket/data", "endpoint_url=http://127.0.0.1:9", "timeout=1")
    done = ask(desk, "words")
    assert done.out == "['a', 'few', 'words', 'here']\n"
    assert ran.take() == {"words": 1}
    assert "remote default: " in done.err
    assert "results of stages are not shared" in done.err


# What strangers write there

GREETING = """
    import counted
    import datatool

    @datatool.stage(share=True, ttl="7d")
    def hello():
        counted.ran("hello")
        return "hello"
    """


@pytest.fixture
def code(desk: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Code]:
    with coding(desk, monkeypatch) as made:
        made.write("pipe.py", GREETING)
        yield made


def instead(world: World, change: Callable[[bytes], bytes]) -> None:
    """Put other bytes in the place of the one shared record, on the remote, and forget all that is here."""
    close_trackers()
    [record] = kept(world)
    shutil.rmtree(world.remote / "runs")
    with open_project(str(world.root), flags={}, environ=world.env) as project:
        data = change(encode_run(record))
        project.cache.keep([(digest(data), data)])
        Sharing(project, SILENT).send({digest(data): record}, ())
    shutil.rmtree(world.cache)


def with_values(change: Callable[[Any], None]) -> Callable[[bytes], bytes]:
    def changed(data: bytes) -> bytes:
        values = json.loads(data)
        change(values)
        return json.dumps(values).encode()

    return changed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (with_values(lambda record: record["stage"].update(format="pickle")), "it is a pickle that was not made here"),
        (
            with_values(lambda record: record["stage"].update(format="../../x")),
            "nobody knows how to read ../../x of plain",
        ),
        (with_values(lambda record: record["stage"].update(library="os")), "nobody knows how to read text of os"),
        (with_values(lambda record: record["stage"].update(format="npy")), "plain has no results that are kept as npy"),
        (with_values(lambda record: record.pop("stage")), "it is of no stage"),
        (with_values(lambda record: record.update(outputs=[])), "with one result"),
        (with_values(lambda record: record.update(started="soon")), "it does not say when it was made"),
        (with_values(lambda record: record["outputs"][0].update(path="../../x")), "a path inside the project"),
        (with_values(lambda record: record.update(fingerprint="0" * 64)), "another fingerprint"),
        (lambda data: data[:-20], "is not JSON"),
        (lambda _: b"[" * 200_000 + b"]" * 200_000, "is not JSON"),
    ],
)
def test_a_shared_record_that_can_not_be_used_is_a_miss_with_a_warning(
    code: Code, desk: World, caplog: pytest.LogCaptureFixture, change: Callable[[bytes], bytes], said: str
) -> None:
    code.load().hello()
    instead(desk, change)
    caplog.clear()
    with code.running("hello"):
        assert code.load().hello() == "hello"
    assert said in caplog.text
    caplog.clear()
    with code.running():
        assert code.load().hello() == "hello"
    assert caplog.text == "", "it is told once"


def test_what_leads_to_no_record_on_the_remote_is_a_miss_with_a_warning(
    code: Code, desk: World, caplog: pytest.LogCaptureFixture
) -> None:
    code.load().hello()
    close_trackers()
    shutil.rmtree(desk.cache)
    [lookup] = [path for path in (desk.remote / "runs").rglob("*") if path.is_file()]
    lookup.rename(lookup.with_name("x.json"))
    lookup.with_name("0" * 64).touch()
    with code.running("hello"):
        code.load().hello()
    assert "'x.json' is no run's id" in caplog.text
    assert "run 000000000000 is not there" in caplog.text
