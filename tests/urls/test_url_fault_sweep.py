"""An import from a URL, disturbed at each of its requests by each kind of fault: it ends well, or says why not and
records nothing; then it is completed by running it again, and no wrong byte is ever kept.

What bytes a file should have nobody knows beforehand, so faults that change them unseen are left out.

Of requests that ask for the same kind of thing chance takes one; scripts/soak takes them all.
"""

from __future__ import annotations

import os
import random
import re
import shutil

import pytest

from network.haste import hopeless, hurry
from servers.fixtures import S3Server, SshServer, WebServer
from servers.http_connection import Request
from servers.http_proxy import HttpProxy
from servers.tcp_proxy import TcpProxy
from urls.sources import Source, s3_source, ssh_source, web_source
from world import Ran, World, tree

BIG = os.urandom(600_000)
FILES = {"a.csv": b"a,1\n", "deep/big.bin": BIG, "deep/empty": b""}
KINDS: tuple[tuple[str, dict[str, object]], ...] = (
    ("cut", {}),
    ("cut", {"at": 2}),
    ("reset", {}),
    ("stall", {"at": 1}),
    ("rate", {"at": 1, "rate": 1}),
    ("answer", {"status": 500}),
    ("answer", {"status": 503, "headers": {"Retry-After": "7"}}),
    ("answer", {"status": 403}),
    ("answer", {"status": 404}),
)
EVERYTHING = os.environ.get("DATATOOL_FAULT_SWEEP", "sample") != "sample"
SHARES = range(3)
"""So that several cores can share the kinds of faults; the two that take time lie in different ones."""
_OF_THE_TEST = re.compile(r"(?:bucket|web)-[0-9a-f-]+")


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    monkeypatch.setattr("datatool.remote.plain_copy.PART", 1 << 18)  # so that a file comes in parts


def _import(world: World, url: str, source: Source) -> Ran:
    return world.run("import-url", url, "data/it", *source.options, "--json")


def _disturbed(world: World, url: str, source: Source, *, lasting: bool) -> Ran:
    """An import that soon takes a silence for a stall."""
    with hopeless(really=lasting):
        return world.run("import-url", url, "data/it", *source.options, "--set", "timeout=1", "--json")


def _forget(world: World) -> None:
    for path in (world.root / "data", world.cache, world.local / "state.db"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    world.git("reset", "-q", "--hard")


def _check(world: World, url: str, source: Source, ran: Ran, wanted: object, what: str) -> None:
    def here() -> object:
        path = world.root / "data/it"
        return path.read_bytes() if path.is_file() else tree(path) if path.exists() else None

    if ran.code == 0:
        assert here() == wanted, f"{what}\n{ran}"
        return
    assert ran.code in (3, 6), f"{what}\n{ran}"
    assert "internal error" not in ran.err and ran.error["message"], f"{what}\n{ran}"
    assert here() is None and not world.exists("data/it.dt"), f"{what}\n{ran}"
    again = _import(world, url, source)
    assert again.code == 0 and here() == wanted, f"after {what}\n{again}"


def _chosen(requests: list[Request]) -> list[int]:
    """The numbers of the requests that are disturbed, from 1."""
    alike: dict[object, list[int]] = {}
    for number, request in enumerate(requests, 1):
        what = request.method, _OF_THE_TEST.sub("", request.target), bool(request.header("range"))
        alike.setdefault(number if EVERYTHING else what, []).append(number)
    return [random.choice(numbers) for numbers in alike.values()]


@pytest.mark.slow
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("kind", ["s3", "http"])
def test_no_fault_of_a_request_leaves_anything_wrong(
    request: pytest.FixtureRequest, world: World, kind: str, share: int
) -> None:
    server: S3Server | WebServer = request.getfixturevalue("s3_server" if kind == "s3" else "web_server")
    source = s3_source(server) if isinstance(server, S3Server) else web_source(server)
    for name, data in FILES.items():
        source.write(name, data)
    url = source.url if kind == "s3" else source.at("deep/big.bin")
    wanted = FILES if kind == "s3" else BIG
    proxy: HttpProxy = server.proxy
    world.ok("config", "set", "--local", "durability", "none")
    world.commit()
    proxy.reset()
    clean = _import(world, url, source)
    assert clean.code == 0, str(clean)
    count = len(proxy.requests)
    assert count >= 2
    for nth in _chosen(proxy.requests):
        for name, options in KINDS[share :: len(SHARES)]:
            for times in (1, None) if EVERYTHING else (random.choice((1, None)),):
                _forget(world)
                proxy.reset()
                proxy.fault(name, nth=nth, times=times, **options)  # type: ignore[arg-type]
                ran = _disturbed(world, url, source, lasting=times is None)
                proxy.heal()
                what = f"{name} {options} at request {nth} of {count}, {'once' if times else 'and from there on'}"
                _check(world, url, source, ran, wanted, what)
                if times and (name in ("cut", "reset", "stall") or options.get("status") in (500, 503)):
                    assert ran.code == 0, f"{what}: should pass\n{ran}"


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, None], ids=["once", "lasting"])
@pytest.mark.parametrize("name", ["cut", "stall"])
def test_no_fault_of_a_connection_leaves_anything_wrong(
    world: World, sshd: SshServer, name: str, times: int | None
) -> None:
    with TcpProxy(sshd.port) as proxy:
        source = ssh_source(sshd, proxy=proxy)
        source.greet(world)
        for path, data in FILES.items():
            source.write(path, data)
        world.ok("config", "set", "--local", "durability", "none")
        world.commit()
        assert _import(world, source.url, source).code == 0
        for at in (0, 500, 5_000, 50_000, 300_000, 600_000):
            _forget(world)
            proxy.fault(name, at=at, times=times)
            ran = _disturbed(world, source.url, source, lasting=times is None)
            proxy.heal()
            _check(world, source.url, source, ran, FILES, f"{name} at byte {at}, times {times}")
