"""An import from a URL, disturbed at each of its requests by each kind of fault: it ends well, or says why not and
records nothing; then it is completed by running it again, and no wrong byte is ever kept.

What bytes a file should have nobody knows beforehand, so faults that change them unseen are left out.
"""

from __future__ import annotations

import os
import shutil

import pytest

from network.fault_scenes import hurry
from servers.fixtures import S3Server, SshServer, WebServer
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


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    monkeypatch.setattr("datatool.remote.plain_copy.PART", 1 << 18)  # so that a file comes in parts


def _import(world: World, url: str, source: Source) -> Ran:
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


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["s3", "http"])
def test_no_fault_of_a_request_leaves_anything_wrong(request: pytest.FixtureRequest, world: World, kind: str) -> None:
    server: S3Server | WebServer = request.getfixturevalue("s3_server" if kind == "s3" else "web_server")
    source = s3_source(server) if isinstance(server, S3Server) else web_source(server)
    for name, data in FILES.items():
        source.write(name, data)
    url = source.url if kind == "s3" else source.at("deep/big.bin")
    wanted = FILES if kind == "s3" else BIG
    proxy: HttpProxy = server.proxy
    world.ok("config", "set", "--local", "durability", "none")
    world.commit()
    clean = _import(world, url, source)
    assert clean.code == 0, str(clean)
    count = len(proxy.requests)
    assert count >= 2
    for nth in range(1, count + 1):
        for name, options in KINDS:
            for times in (1, None):
                _forget(world)
                proxy.reset()
                proxy.fault(name, nth=nth, times=times, **options)  # type: ignore[arg-type]
                ran = _import(world, url, source)
                proxy.heal()
                what = f"{name} {options} at request {nth} of {count}, {'once' if times else 'and from there on'}"
                _check(world, url, source, ran, wanted, what)
                if times and (name in ("cut", "reset", "stall") or options.get("status") in (500, 503)):
                    assert ran.code == 0, f"{what}: should pass\n{ran}"


@pytest.mark.slow
def test_no_fault_of_a_connection_leaves_anything_wrong(world: World, sshd: SshServer) -> None:
    with TcpProxy(sshd.port) as proxy:
        source = ssh_source(sshd, proxy=proxy)
        source.greet(world)
        for name, data in FILES.items():
            source.write(name, data)
        world.ok("config", "set", "--local", "durability", "none")
        world.commit()
        assert _import(world, source.url, source).code == 0
        for at in (0, 500, 5_000, 50_000, 300_000, 600_000):
            for name in ("cut", "stall"):
                for times in (1, None):
                    _forget(world)
                    proxy.fault(name, at=at, times=times)
                    ran = _import(world, source.url, source)
                    proxy.heal()
                    _check(world, source.url, source, ran, FILES, f"{name} at byte {at}, times {times}")
