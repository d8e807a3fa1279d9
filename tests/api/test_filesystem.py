"""`datatool://` as fsspec sees it: names, listings, ranges, pickles, refusals."""

from __future__ import annotations

import pickle
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import fsspec
import pytest

import datatool
from api.conftest import BIG, TABLE, clone, enter
from datatool.api.addresses import Address
from datatool.api.pool import Pool
from datatool.api.words import opening
from measure import store_requests
from world import World, tree


@pytest.fixture
def fs(study: World) -> Any:
    return fsspec.filesystem("datatool", skip_instance_cache=True)


def encoded(study: World, rev: str = "v1") -> str:
    """The project as a registry that is named by its path."""
    return f"{quote(str(study.root), safe='')}@{rev}"


def hosts(study: World) -> list[str]:
    """Every way to name the project: as this one, at a revision, as a registry."""
    return ["", "@v1", encoded(study)]


# ---- names


@pytest.mark.parametrize(
    ("url", "repo", "rev", "path"),
    [
        ("datatool:///data/a.txt", None, None, "data/a.txt"),
        ("datatool://@v1/data/", None, "v1", "data"),
        ("datatool://songs/1.ogg", "songs", None, "1.ogg"),
        ("datatool://songs@feature%2Fx", "songs", "feature/x", ""),
        ("datatool://https%3A%2F%2Fme%40example.org%2Fr.git@v1/a@b", "https://me@example.org/r.git", "v1", "a@b"),
        ("datatool:///100%25.txt", None, None, "100%25.txt"),
    ],
)
def test_an_address_is_read_and_written(url: str, repo: str | None, rev: str | None, path: str) -> None:
    address = Address.parse(url)
    assert (address.repo, address.rev, address.path) == (repo, rev, path)
    assert str(address).rstrip("/") == url.rstrip("/")
    assert Address.parse(address.name) == address


@pytest.mark.parametrize("url", ["file:///srv/songs/a.txt", "https://example.org/songs.git/a.txt", "ssh:/host/x"])
def test_a_registry_s_url_that_is_not_encoded_is_told(fs: Any, url: str) -> None:
    for read in (fs.ls, fs.cat, fsspec.open(f"datatool://{url}").open):
        with pytest.raises(datatool.UsageError, match="percent-encoded") as caught:
            read() if read not in (fs.ls, fs.cat) else read(f"datatool://{url}")
        assert f"datatool://{quote(url.split('/')[0] + '//', safe='')}" in (caught.value.hint or "")


@pytest.mark.parametrize("path", ["..", "../../etc/passwd", "data/../src/train.py", "data/.."])
@pytest.mark.parametrize("host", ["", "@HEAD", "songs", "%2Ftmp%2Fsongs"])
def test_a_path_that_goes_up_is_refused_as_a_wrong_url(fs: Any, host: str, path: str) -> None:
    for look in (fs.info, fs.ls, fs.cat, fs.find, fs.open):
        with pytest.raises(datatool.UsageError, match=r"\.\. has no place"):
            look(f"datatool://{host}/{path}")


def test_dots_and_doubled_slashes_mean_nothing(study: World, fs: Any) -> None:
    assert Address.parse("datatool://songs/./a//b/") == Address.parse("datatool://songs/a/b")
    for host in hosts(study):
        assert fs.cat(f"datatool://{host}/./data//a.txt") == study.read("data/a.txt")


def test_names_from_listings_are_addresses(study: World, fs: Any) -> None:
    for host in hosts(study):
        for name in [*fs.ls(f"{host}/", detail=False), *fs.find(f"datatool://{host}/data"), *fs.glob(f"{host}/**")]:
            assert name.startswith(f"{host}/") or name == host
            assert fs.exists(f"datatool://{name}")
            assert fs.unstrip_protocol(name) == f"datatool://{name}"


def test_names_that_are_unusual_work_too(study: World, fs: Any) -> None:
    for name in ("a b%20c.txt", "ü#1?.txt", "x@y.txt"):
        study.write(f"odd/{name}", name.encode())
    study.ok("add", "odd")
    study.commit()
    for host in ("", "@HEAD"):
        found = {name: fs.cat_file(name) for name in fs.ls(f"{host}/odd", detail=False)}
        assert found == {f"{host}/odd/{name}": name.encode() for name in ("a b%20c.txt", "ü#1?.txt", "x@y.txt")}


# ---- looking


def test_files_and_directories_are_told_apart(study: World, fs: Any) -> None:
    for host in hosts(study):
        info = fs.info(f"{host}/data/deep/b.txt")
        assert (info["name"], info["size"], info["type"]) == (f"{host}/data/deep/b.txt", 5, "file")
        assert info["oid"].startswith("sha256:") and info["origin"] == "datatool"
        assert fs.isdir(f"{host}/data/deep") and fs.isdir(f"{host}/data/empty") and fs.isdir(f"{host}/")
        assert fs.isfile(f"{host}/README.md") and not fs.isfile(f"{host}/data") and not fs.isdir(f"{host}/none")
        assert not fs.exists(f"{host}/data/none") and fs.size(f"{host}/big.bin") == len(BIG)
        with pytest.raises(FileNotFoundError):
            fs.ls(f"{host}/none")


def test_links_lead_to_their_files(study: World, fs: Any) -> None:
    for host in hosts(study):
        info = fs.info(f"{host}/data/link")
        assert (info["type"], info["size"], info["islink"]) == ("file", 5, True)
        assert fs.cat_file(f"{host}/data/link") == b"beta\n"


def test_find_walk_and_glob_see_the_same(study: World, fs: Any) -> None:
    for host in hosts(study):
        found = fs.find(f"{host}/data")
        assert found == [f"{host}/data/{name}" for name in ("a.txt", "deep/b.txt", "link", "run.sh")]
        walked = [f"{top}/{name}" for top, _, names in fs.walk(f"{host}/data") for name in names]
        assert sorted(walked) == found
        assert [name for name in fs.glob(f"{host}/data/**") if fs.isfile(name)] == found
        assert fs.glob(f"{host}/data/*.txt") == [f"{host}/data/a.txt"]
        assert fs.find(f"{host}/data", maxdepth=1) == [f"{host}/data/{name}" for name in ("a.txt", "link", "run.sh")]
        assert f"{host}/data/deep" in fs.find(f"{host}/data", withdirs=True)
        assert fs.find(f"{host}/data/a.txt") == [f"{host}/data/a.txt"] and fs.find(f"{host}/none") == []
        assert fs.du(f"{host}/data") == 6 + 5 + 5 + 10


def test_modified_is_the_date_of_the_commit(study: World, fs: Any) -> None:
    committed = datetime.fromtimestamp(int(study.git("show", "-s", "--format=%ct", "v1")), UTC)
    assert fs.modified("@v1/table.csv") == fs.modified(f"{encoded(study)}/data/a.txt") == committed
    pointer = (study.root / "table.csv.dt").stat().st_mtime
    assert fs.modified("/table.csv") == datetime.fromtimestamp(pointer, UTC)


def test_other_content_has_another_key(study: World, fs: Any) -> None:
    before = fs.ukey("/table.csv"), fs.checksum("/table.csv"), fs.ukey("/README.md")
    assert fs.ukey("@v1/table.csv") == before[0]
    study.write("table.csv", b"new\n")
    study.write("README.md", b"newer\n")
    study.ok("add", "table.csv")
    after = fs.ukey("/table.csv"), fs.checksum("/table.csv"), fs.ukey("/README.md")
    assert not set(before) & set(after)


def test_what_cannot_be_told_is_an_error_and_no_absence(study: World, fs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = clone(study)
    study.remote.rename(study.top / "away")
    enter(copy, monkeypatch)
    copy.ok("remote", "set", "default", "--local", "url=http://127.0.0.1:1/")
    monkeypatch.setenv("DATATOOL_OFFLINE", "1")
    for ask in (fs.exists, fs.isfile, fs.find, lambda name: list(fs.walk(name))):
        with pytest.raises(datatool.RemoteUnreachable):
            ask("/data/deep")


# ---- reading


def test_ranges_are_read(study: World, fs: Any) -> None:
    for host in hosts(study):
        name = f"{host}/big.bin"
        assert fs.cat_file(name, 10, 20) == BIG[10:20]
        assert fs.cat_file(name, -7) == BIG[-7:] and fs.cat_file(name, 5, -5) == BIG[5:-5]
        assert fs.cat_ranges([name] * 2, [0, 100], [4, 104]) == [BIG[:4], BIG[100:104]]
        assert fs.read_block(name, 3, 4) == BIG[3:7] and fs.head(name, 3) == BIG[:3] and fs.tail(name, 3) == BIG[-3:]
        with fs.open(name) as file:
            file.seek(-4, 2)
            assert file.read() == BIG[-4:]
        with fs.open(f"{host}/table.csv", "r", encoding="utf-8") as text:
            assert text.readline() == "id,value\n"


def test_a_range_of_what_is_not_here_brings_the_whole_and_checks_it(
    study: World, fs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(clone(study), monkeypatch)
    assert fs.cat_file("/big.bin", 10, 20) == BIG[10:20]
    study.remote.rename(study.top / "away")
    assert fs.cat_file("/big.bin") == BIG


def test_many_files_come_in_few_requests(study: World, fs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        study.write(f"many/{number:02}.txt", b"%d" % number)
    study.ok("add", "many")
    study.commit()
    study.git("tag", "v2")
    study.ok("push")
    for host in ("", "@v2"):
        copy = study.clone(f"clone{host}")
        study.git("push", "-q", "--tags", str(study.origin))
        copy.git("fetch", "-q", "--tags")
        enter(copy, monkeypatch)
        with store_requests(monkeypatch) as counts:
            found = fs.cat(f"{host}/many", recursive=True) if host else fs.cat("/many/*.txt")
        assert len(found) == 40
        assert sum(counts.values()) < 12


def test_directories_are_copied_out(study: World, fs: Any) -> None:
    fs.get("@v1/data", str(study.top / "out"), recursive=True)
    assert tree(study.top / "out")["deep/b.txt"] == b"beta\n"


# ---- refusing


@pytest.mark.parametrize(
    "write",
    [
        lambda fs: fs.open("/new", "wb"),
        lambda fs: fs.open("/table.csv", "ab"),
        lambda fs: fs.open("/new", "w"),
        lambda fs: fs.pipe("/new", b"x"),
        lambda fs: fs.pipe_file("/new", b"x"),
        lambda fs: fs.touch("/new"),
        lambda fs: fs.rm("/data", recursive=True),
        lambda fs: fs.rm_file("/table.csv"),
        lambda fs: fs.mkdir("/new"),
        lambda fs: fs.makedirs("/new"),
        lambda fs: fs.rmdir("/data/empty"),
        lambda fs: fs.mv("/table.csv", "/new"),
        lambda fs: fs.cp("/table.csv", "/new"),
        lambda fs: fs.put(__file__, "/new"),
        lambda fs: fs.put_file(__file__, "/new"),
        lambda fs: fs.upload(__file__, "/new"),
        lambda fs: fs.write_text("/new", "x"),
        lambda fs: fs.delete("/table.csv"),
    ],
)
def test_nothing_can_be_written(study: World, fs: Any, write: Any) -> None:
    before = tree(study.root)
    with pytest.raises(PermissionError) as caught:
        write(fs)
    assert isinstance(caught.value, datatool.DatatoolError)
    assert tree(study.root) == before


# ---- instances, pickles, time


def test_a_filesystem_goes_where_the_program_goes(study: World, monkeypatch: pytest.MonkeyPatch) -> None:
    other = World(study.top / "b")
    other.write("table.csv", b"other\n")
    other.ok("add", "table.csv")
    fs = fsspec.filesystem("datatool")
    assert fs is fsspec.filesystem("datatool"), "one instance serves every registry"
    assert fs.cat_file("/table.csv") == TABLE
    monkeypatch.chdir(other.root)
    assert fs.cat_file("/table.csv") == b"other\n"
    assert fsspec.filesystem("datatool", project=study.root).cat_file("/table.csv") == TABLE


READS = """
import pickle, sys
fs, name = pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(fs.cat_file(name))
"""


def test_what_is_pickled_reads_what_the_original_read(study: World, fs: Any, elsewhere: World) -> None:
    name = f"{quote(str(study.root), safe='')}/table.csv"
    assert fs.cat_file(name) == TABLE
    packed = pickle.dumps((fs, name))
    study.write("table.csv", b"new\n")
    study.ok("add", "table.csv")
    study.commit()
    study.ok("push")
    done = subprocess.run(
        [sys.executable, "-P", "-c", READS], input=packed, cwd=study.top, env=study.env, capture_output=True, check=True
    )
    assert done.stdout == TABLE
    assert fs.cat_file(name) == b"new\n"
    with pickle.loads(pickle.dumps(fsspec.open(f"datatool://{name}"))) as file:
        assert file.read() == b"new\n"


def test_changes_are_seen_at_once(study: World, fs: Any) -> None:
    at_main, registry = "@main/table.csv", f"{quote(str(study.root), safe='')}/table.csv"
    assert fs.cat_file("/table.csv") == fs.cat_file(at_main) == fs.cat_file(registry) == TABLE
    study.write("table.csv", b"new\n")
    study.ok("add", "table.csv")
    assert fs.cat_file("/table.csv") == b"new\n"
    assert fs.cat_file(at_main) == TABLE, "that is not committed"
    study.commit()
    assert fs.cat_file(at_main) == fs.cat_file(registry) == b"new\n"


def test_what_is_kept_open_holds_nobody_up(study: World, fs: Any) -> None:
    assert fs.cat_file("/data/a.txt") == b"alpha\n"
    study.write("more.csv", b"x\n" * 1000)
    study.settle()
    study.ok("add", "more.csv")
    assert study.json("status")["clean"]
    assert fs.cat_file("/more.csv") == b"x\n" * 1000


def test_the_pool_opens_again_what_is_old(study: World) -> None:
    now = [0.0]
    opened = []

    def open_one(stack: ExitStack, address: Address) -> Any:
        opened.append(address.name)
        return stack.enter_context(opening(address.repo, address.rev, None, cwd=Path.cwd()))

    pool = Pool(open_one, clock=lambda: now[0])
    address = Address.parse("@v1/table.csv")
    for time in (0.0, 5.0, 9.0, 11.0, 12.0):
        now[0] = time
        with pool.use(("here", address.host), address) as found:
            assert found.content.commit
    assert len(opened) == 2
    pool.clear()
    with pool.use(("here", address.host), address):
        assert len(opened) == 3
