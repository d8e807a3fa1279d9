"""Push and pull over every kind of network fault, at every request: see `fault_sweep`.

Here a sample of the points, with something of every kind and every request. DATATOOL_FAULT_SWEEP=each tries every
kind at every request, and scripts/soak all points: at every request, at several positions, once and from there on. It
writes down the results for the table in docs/explanation/network_faults.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from network.fault_scenes import PARTED, Ground, PullScene, PushScene
from network.fault_sweep import RECORDS, Outcome, Point, Scene, Sweep, Verdict, Wire
from network.fault_wires import HttpWire, TcpWire
from network.haste import hurry
from network.places import Place, s3_place, ssh_place, web_place
from servers.fixtures import S3Server, SshServer, WebServer
from servers.tcp_proxy import TcpProxy
from world import World

REACH = os.environ.get("DATATOOL_FAULT_SWEEP", "sample")
RESULTS = os.environ.get("DATATOOL_FAULT_RESULTS")
"""A directory for the verdicts."""

SCENES = {"http": ["pull"], "s3": ["push", "push again", "pull"], "sftp": ["push", "push again", "pull"]}
if REACH != "sample":
    SCENES["http without ranges"] = ["pull"]
SHARES = {"sample": 1, "each": 4, "full": 12}[REACH]
SAMPLE = {"http": 20, "s3": 11, "sftp": 8}
"""Points of each scene in a sample."""
PATIENCE = {"sftp": 2}
"""Seconds after which a silence is a stall. Over SSH there is one connection, whose pauses on a busy machine add up."""
LASTING = 20
"""How many of the faults that last are tried besides each kind at each request."""

PASSING = {"cut", "reset", "stall", "1 B/s", "500", "503, Retry-After", "429, Retry-After"}
"""What passes, and must be got over by another try: of HTTP, where the fault is that of a request."""


@pytest.fixture
def remote(request: pytest.FixtureRequest, world: World) -> Iterator[tuple[Place, Wire]]:
    """A place, and the proxy before it."""
    with _remote(request, request.param, world) as found:
        yield found


@contextmanager
def _remote(request: pytest.FixtureRequest, store: str, world: World) -> Iterator[tuple[Place, Wire]]:
    if store == "s3":
        s3: S3Server = request.getfixturevalue("s3_server")
        yield s3_place(s3), HttpWire(s3.proxy)
    elif store == "sftp":
        sshd: SshServer = request.getfixturevalue("sshd")
        with TcpProxy(sshd.port) as proxy:
            yield ssh_place(sshd, port=proxy.port), TcpWire(proxy)
    else:
        web: WebServer = request.getfixturevalue("web_server")
        world.ok("remote", "add", "shelf", str(web.directory / "data"))
        yield web_place(web, ranges=store == "http"), HttpWire(web.proxy)


def _scene(name: str, world: World, place: Place, *, ranges: bool) -> Scene:
    ground = Ground(world, place)
    shelf = [] if "s3" in place.url or "ssh" in place.url else ["-r", "shelf"]
    if name == "push":
        return PushScene(name, ground, ground.clone("reader"), {})
    world.ok("push", *shelf)
    if name == "pull":
        return PullScene(ground, resumes=ranges)
    before = ground.contents()
    ground.second_version()
    return PushScene(name, ground, ground.clone("reader"), before)


@pytest.mark.parametrize(
    ("remote", "store", "scene", "share"),
    [
        pytest.param(store, store, scene, share, id=f"{store}-{scene}-{share}")
        for store, scenes in SCENES.items()
        for scene in scenes
        for share in range(SHARES)
    ],
    indirect=["remote"],
)
def test_no_fault_leaves_anything_wrong(
    world: World,
    remote: tuple[Place, Wire],
    store: str,
    scene: str,
    share: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hurry(monkeypatch)
    place, wire = remote
    ranges = store != "http without ranges"
    # Without ranges the whole begins to come where a part is asked for, and all that is on its way then counts.
    spare = RECORDS if ranges else RECORDS + 2 * PARTED
    state = _scene(scene, world, place, ranges=ranges)
    patience = PATIENCE.get(store, 1)
    sweep = Sweep(scene=state, wire=wire, names=("remote net", place.url), spare=spare, patience=patience)
    sweep.learn()
    verdicts = [sweep.run(point) for point in _chosen(sweep, store)[share::SHARES]]
    if RESULTS:
        rows = [{"store": store, **asdict(verdict)} for verdict in verdicts]
        Path(RESULTS, f"{store}-{scene}-{share}.json".replace(" ", "_")).write_text(json.dumps(rows, indent=1))
    assert verdicts
    bad = [verdict for verdict in verdicts if verdict.outcome == Outcome.BAD]
    assert not bad, "\n\n".join(map(_told, bad))
    not_healed = [verdict for verdict in verdicts if store != "sftp" and not verdict.lasting and _should_pass(verdict)]
    assert not not_healed, "\n\n".join(map(_told, not_healed))


def _chosen(sweep: Sweep, store: str) -> list[Point]:
    points = sweep.points(every=REACH == "full")
    if REACH == "full":
        return points
    if REACH == "sample":
        return points[: SAMPLE[store]]
    spots = (lambda point: point.spot) if store == "sftp" else (lambda point: "")
    once = {(point.kind, point.place, spots(point)): point for point in points if not point.lasting}
    return [*once.values(), *[point for point in points if point.lasting][:LASTING]]


def _should_pass(verdict: Verdict) -> bool:
    return verdict.kind.removesuffix(" on the way up") in PASSING and verdict.outcome == Outcome.FAILED


def _told(verdict: Verdict) -> str:
    lasting = ", and from there on" if verdict.lasting else ""
    head = f"{verdict.scene}: {verdict.kind} at {verdict.where}{lasting}: {verdict.outcome} ({verdict.seconds:.1f} s)"
    return "\n  ".join([head, *verdict.troubles])
