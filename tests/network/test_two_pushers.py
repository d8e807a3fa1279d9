"""Two machines push at once over a bad network: both get through, at the latest when they try again, and nobody's data
is lost or wrong."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator

import pytest

from network.contents import troubles_of
from network.hurried import begin
from network.places import Place, s3_place, ssh_place
from servers.fixtures import S3Server, SshServer
from servers.http_proxy import HttpProxy
from servers.tcp_proxy import TcpProxy
from world import World

MIB = 1 << 20
SEEDS = 1 if os.environ.get("DATATOOL_FAULT_SWEEP", "sample") == "sample" else 3
"""Courses of bad luck; scripts/soak tries all."""
Disturb = Callable[[random.Random], None]
"""Make things go wrong here and there, for whoever comes by; healed by what is returned with it."""


@pytest.fixture(params=["s3_server", "sshd"], ids=["s3", "sftp"])
def network(request: pytest.FixtureRequest) -> Iterator[tuple[Place, Disturb, Callable[[], None]]]:
    server = request.getfixturevalue(request.param)
    if isinstance(server, S3Server):
        yield s3_place(server), lambda dice: _disturb_requests(server.proxy, dice), server.proxy.heal
        return
    assert isinstance(server, SshServer)
    with TcpProxy(server.port) as proxy:
        yield ssh_place(server, port=proxy.port), lambda dice: _disturb_connections(proxy, dice), proxy.heal


def _disturb_requests(proxy: HttpProxy, dice: random.Random) -> None:
    for nth in dice.sample(range(1, 50), 10):
        kind = dice.choice(["cut", "reset", "stall", "answer"])
        if kind == "answer":
            proxy.fault(kind, nth=nth, status=dice.choice([500, 503, 429]))
        else:
            proxy.fault(kind, nth=nth, direction=dice.choice(["up", "down"]))


def _disturb_connections(proxy: TcpProxy, dice: random.Random) -> None:
    for nth in range(1, 5):
        up = dice.random() < 0.7
        at = dice.randrange(3 * MIB) if up else dice.randrange(20_000)
        proxy.fault(dice.choice(["cut", "reset", "stall"]), nth=nth, direction="up" if up else "down", at=at)


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("is_first", [True, False], ids=["first push", "later push"])
def test_two_machines_push_at_once_over_a_bad_network(
    world: World, network: tuple[Place, Disturb, Callable[[], None]], is_first: bool, seed: int
) -> None:
    place, disturb, heal = network
    place.add_to(world, timeout="1")
    for n in range(40):
        world.write(f"data/f{n:02}", os.urandom(500 + n))
    world.ok("add", "data")
    world.commit("together")
    if not is_first:
        world.ok("push")
    machines = [world, place.join(world.clone("other"))]
    if is_first:
        machines[1].git("rm", "-q", "--cached", "data.dt")  # nothing of it is here: the other machine pushes it
        (machines[1].root / "data.dt").unlink()
    else:
        machines[1].ok("pull")
    for number, machine in enumerate(machines):
        machine.write("more/small", os.urandom(1000))
        machine.write("more/whole.bin", os.urandom(MIB))
        machine.write(f"own{number}.bin", os.urandom(2 * MIB))
        machine.write("same.bin", b"both have this" * 100_000)
        machine.ok("add", "more", f"own{number}.bin", "same.bin")
    disturb(random.Random(seed))
    pushing = [begin(machine, "push") for machine in machines]
    said = [process.communicate()[1] for process in pushing]
    heal()
    for machine, process, text in zip(machines, pushing, said, strict=True):
        assert process.returncode in (0, 6) and "Traceback" not in text, text
        assert not troubles_of({name: place.read(name) for name in place.names()})
        if process.returncode:
            again = begin(machine, "push")
            _, text = again.communicate()
            assert again.returncode == 0, text
    assert not troubles_of({name: place.read(name) for name in place.names()})
    assert place.unfinished() == {}
    for number, machine in enumerate(machines):
        assert {item["remote"] for item in machine.json("status", "--remote")["artifacts"]} == {True}
        machine.commit("mine")
        reader = place.join(machine.clone(f"reader{number}"))
        reader.ok("pull")
        assert reader.tree() == machine.tree()
