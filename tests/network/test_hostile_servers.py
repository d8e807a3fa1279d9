"""A pull from a server that means harm: bounded memory, bounded time, an exit code that says so, and nothing wrong."""

from __future__ import annotations

import gzip
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

import measure
from network.contents import TEMP, cache_contents, troubles_of
from network.hurried import HURRIED, environment
from network.places import s3_place
from servers.fixtures import S3Server, WebServer
from servers.http_proxy import HttpProxy
from world import World

MIB = 1 << 20
MOST_MEMORY = 250
"""MiB that a process may need whatever it is sent."""
MOST_SECONDS = 60

BOMB = gzip.compress(bytes(1 << 28), compresslevel=9)
TRICKS: Mapping[str, Mapping[str, object]] = {
    "an endless body": {"kind": "endless"},
    "a bomb of gzip": {"kind": "answer", "status": 200, "headers": {"Content-Encoding": "gzip"}, "body": BOMB},
    "a bomb of gzip, as a range": {
        "kind": "answer",
        "status": 206,
        "headers": {"Content-Encoding": "gzip", "Content-Range": f"bytes 0-{len(BOMB) - 1}/{len(BOMB)}"},
        "body": BOMB,
    },
    "an endless header": {"kind": "answer", "status": 200, "headers": {"X-Bomb": "a" * (64 * MIB)}},
    "endless headers": {"kind": "answer", "status": 200, "headers": {f"X-{n}": "a" * 100 for n in range(300_000)}},
    "a redirect to itself": {"kind": "answer", "status": 302, "headers": {"Location": "?"}},
    "another range": {"kind": "shift", "at": 7},
    "another range than it says": {"kind": "headers", "headers": {"Content-Range": "bytes 5-104/1000000000000"}},
    "a length beyond all bounds": {"kind": "headers", "headers": {"Content-Length": str(1 << 50)}},
    "a length that is none": {"kind": "headers", "headers": {"Content-Length": "-1"}},
}

TARGETS = {
    "format file": "datatool-remote.json",
    "listing": r"index\.list|list-type",
    "shard": r"index/[0-9a-f]{64}",
    "pack": "packs/",
    "object": "objects/",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Trap:
    """A clone that is about to pull, and the proxy on its way."""

    clone: World
    proxy: HttpProxy
    expected: dict[str, bytes | str | None]


@pytest.fixture
def trap(request: pytest.FixtureRequest, world: World) -> Trap:
    for n in range(50):
        world.write(f"data/f{n:02}", os.urandom(300 + n))
    world.write("data/whole.bin", os.urandom(5 * MIB))
    world.write("large.bin", os.urandom(17 * MIB))
    world.ok("add", "data", "large.bin")
    if request.param == "s3":
        s3: S3Server = request.getfixturevalue("s3_server")
        place = s3_place(s3)
        place.add_to(world, timeout="1")
        world.ok("push")
        world.commit()
        return Trap(clone=place.join(world.clone()), proxy=s3.proxy, expected=world.tree())
    web: WebServer = request.getfixturevalue("web_server")
    world.ok("push")
    shutil.copytree(world.remote, web.directory / "data")
    world.ok("remote", "add", "-d", "net", f"{web.url}/data", "--set", "timeout=1")
    world.commit()
    return Trap(clone=world.clone(), proxy=web.proxy, expected=world.tree())


FULL = os.environ.get("DATATOOL_FAULT_SWEEP") == "full"
CASES = [
    pytest.param(store, trick, target, id=f"{store}-{trick}-{target}")
    for number, store in enumerate(["http", "s3"])
    for row, trick in enumerate(TRICKS)
    for column, target in enumerate(TARGETS)
    if FULL or (row + column) % 6 == 3 * number
]
"""Every trick on something, and something of everything; scripts/soak tries all on all at both."""


@pytest.mark.parametrize(("trap", "trick", "target"), CASES, indirect=["trap"])
def test_a_hostile_answer_costs_little_and_is_told(trap: Trap, trick: str, target: str) -> None:
    clone = trap.clone
    before = clone.tree()
    trap.proxy.fault(times=None, path=TARGETS[target], **TRICKS[trick])  # type: ignore[arg-type]
    found = measure.cost(clone, "pull", program=HURRIED, env=environment(clone, part=None))
    assert found.mib <= MOST_MEMORY and found.seconds <= MOST_SECONDS, found
    assert found.code in (0, 4, 5, 6), found.err[-3000:]
    assert "Traceback" not in found.err and "internal error" not in found.err, found.err[-3000:]
    assert not troubles_of(cache_contents(clone.cache))
    assert not list(clone.root.rglob(f"*{TEMP}*"))
    after = clone.tree()
    assert {path for path, data in after.items() if data != trap.expected.get(path)} <= before.keys()
    assert {path: after.get(path) for path in before} == before
    if found.code == 0:
        assert after == trap.expected
    else:
        lines = re.findall("^error: .*$", found.err, re.MULTILINE)
        assert any("remote net" in line or str(trap.proxy.port) in line for line in lines), found.err[-3000:]
    trap.proxy.heal()
    clone.ok("pull")
    assert clone.tree() == trap.expected
