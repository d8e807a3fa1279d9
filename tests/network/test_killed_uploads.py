"""A push that is killed while a large file goes up in parts: what arrived is seen and gone on with, nothing is left."""

from __future__ import annotations

import os

import pytest

from network.contents import troubles_of
from network.hurried import begin
from network.places import Place, s3_place, ssh_place
from patience import LONG
from servers.fixtures import S3Server, SshServer
from servers.http_faults import HttpFault
from servers.ports import wait_until
from servers.tcp_proxy import TcpFault, TcpProxy
from world import World

MIB = 1 << 20
RECORDS = 64 << 10

MOMENTS = {
    "the upload is begun, unanswered": {"method": "POST", "path": r"\?uploads$"},
    "the first part is under way": {"method": "PUT", "path": "partNumber=1$", "direction": "up", "at": 1000},
    "half of the parts are there": {"method": "PUT", "path": "partNumber", "nth": 5, "direction": "up", "at": 1000},
    "the last part is unanswered": {"method": "PUT", "path": "partNumber=8$"},
    "the upload is about to end": {"method": "POST", "path": "uploadId=", "direction": "up"},
    "the upload has ended, unanswered": {"method": "POST", "path": "uploadId="},
}
"""Where a push is stopped, to be killed there."""


def killed_push(world: World, fault: HttpFault | TcpFault, *, part: int) -> None:
    """Push in small parts, and kill it when the fault has stopped it."""
    pushing = begin(world, "push", "-q", part=part)
    try:
        fault.wait()
    finally:
        pushing.kill()
        pushing.communicate()


def push_in_small_parts(world: World, *, part: int) -> None:
    """The next push."""
    pushing = begin(world, "push", "-q", part=part)
    _, said = pushing.communicate()
    assert pushing.returncode == 0, said


def with_a_large_file(world: World, place: Place, size: int) -> None:
    world.write("huge.bin", os.urandom(size))
    world.write("small.txt", b"small")
    world.ok("add", "huge.bin", "small.txt")
    place.add_to(world)
    world.commit()


def arrived_at(place: Place, size: int) -> int:
    """Bytes of the large file that a server has by now, at the least: it may still be at work on what was under way
    when the push was killed."""
    return sum(place.unfinished().values()) + sum(found for found in place.names().values() if found == size)


def assert_leftovers_are_told(world: World, place: Place) -> None:
    before = place.unfinished()
    leftovers = {found["name"]: found["bytes"] for found in world.json("remote", "check")["leftovers"]}
    after = place.unfinished()
    assert before.keys() == leftovers.keys() == after.keys()
    assert all(before[name] <= told <= after[name] for name, told in leftovers.items())


def assert_all_is_there(world: World, place: Place) -> None:
    assert not troubles_of({name: place.read(name) for name in place.names()})
    clone = place.join(world.clone())
    clone.ok("pull")
    assert clone.read("huge.bin") == world.read("huge.bin")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("kind", ["s3_server", pytest.param("radosgw", marks=pytest.mark.slow)])
def test_an_upload_in_parts_is_gone_on_with(
    world: World, kind: str, moment: str, request: pytest.FixtureRequest
) -> None:
    server: S3Server = request.getfixturevalue(kind)
    part = MIB if kind == "s3_server" else 5 * MIB  # Ceph takes no smaller one
    place = s3_place(server)
    with_a_large_file(world, place, 8 * part)
    killed_push(world, server.proxy.fault("stall", times=None, **MOMENTS[moment]), part=part)  # type: ignore[arg-type]
    server.proxy.heal()
    assert not troubles_of({name: place.read(name) for name in place.names()})
    arrived = arrived_at(place, 8 * part)
    assert_leftovers_are_told(world, place)
    server.reset()
    push_in_small_parts(world, part=part)
    sent = sum(one.bytes_up for one in server.requests)
    assert sent <= 8 * part - arrived + RECORDS
    assert place.unfinished() == {} and world.json("remote", "check")["leftovers"] == []
    assert_all_is_there(world, place)


@pytest.mark.parametrize("at", [3 * MIB, 6 * MIB, 8 * MIB + 20_000])
def test_an_upload_over_ssh_is_gone_on_with(world: World, sshd: SshServer, at: int) -> None:
    with TcpProxy(sshd.port) as proxy:
        place = ssh_place(sshd, port=proxy.port)
        with_a_large_file(world, place, 8 * MIB)
        killed_push(world, proxy.fault("stall", direction="up", at=at), part=MIB)
        proxy.heal()
        assert not troubles_of({name: place.read(name) for name in place.names()})
        least = min(at, 8 * MIB) - 2 * MIB
        wait_until(lambda: arrived_at(place, 8 * MIB) >= least, seconds=LONG, what="what was under way")
        arrived = arrived_at(place, 8 * MIB)
        assert_leftovers_are_told(world, place)
        before = len(proxy.connections)
        push_in_small_parts(world, part=MIB)
        sent = sum(one.bytes_up for one in proxy.connections[before:])
        assert sent <= (8 * MIB - arrived) * 1.02 + 2 * RECORDS
        assert place.unfinished() == {} and world.json("remote", "check")["leftovers"] == []
        assert_all_is_there(world, place)
