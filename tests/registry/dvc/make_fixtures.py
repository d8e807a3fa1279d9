"""Makes the fixtures beside this file with real DVC, and writes down what real DVC says of them.

    python tests/registry/dvc/make_fixtures.py DVC3 DVC2     the commands `dvc` of 3.67.1 and of 2.58.2

Each project becomes a git bundle, the storage of all of them one archive; `expected.json` has for every project and
revision what `dvc list -R --dvc-only --json` lists, and the sha256 of every file that `dvc get` brings. All paths in
the projects are relative to each other, so that they can be unpacked anywhere side by side.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).parent / "fixtures"
CRLF = b"first line\r\nsecond line\r\n"
PIPELINE = """\
vars:
  - places: {out: results}
stages:
  train:
    cmd: mkdir -p model && echo weights > model/w.txt && echo 1 > metrics.json && echo x > kept.txt
    deps:
      - input.txt
    outs:
      - model
      - kept.txt:
          cache: false
    metrics:
      - metrics.json:
          cache: false
  split:
    foreach:
      - a
      - b
    do:
      cmd: echo ${item} > part-${item}.txt && echo ${item} > note-${item}.txt
      outs:
        - part-${item}.txt
        - note-${item}.txt:
            cache: false
  grid:
    matrix:
      size: [1, 2]
    cmd: echo ${item.size} > grid-${item.size}.txt
    outs:
      - grid-${item.size}.txt
  inside:
    wdir: ${places.out}
    cmd: echo inside > r.txt
    outs:
      - r.txt
"""


class Maker:
    """A directory to work in, and the two DVCs."""

    def __init__(self, top: Path, dvc3: str, dvc2: str) -> None:
        self.top = top
        self.dvcs = {3: dvc3, 2: dvc2}
        home = top / "home"
        home.mkdir()
        (home / "gitconfig").write_text(
            '[user]\nname = T\nemail = t@example.org\n[init]\ndefaultBranch = main\n[protocol "file"]\nallow = always\n'
        )
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / "cache"),
            "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z",
            "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z",
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(home / "site"),
            "DVC_GLOBAL_CONFIG_DIR": str(home / "config"),
            "LC_ALL": "C.UTF-8",
        }

    def run(self, where: Path, *words: str) -> str:
        done = subprocess.run(words, cwd=where, env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def dvc(self, where: Path, *words: str, version: int = 3) -> str:
        return self.run(where, self.dvcs[version], *words)

    def project(self, name: str, *, version: int = 3, store: str = "store") -> Path:
        top = self.top / name
        top.mkdir()
        self.run(top, "git", "init", "-q")
        self.dvc(top, "init", "-q", version=version)
        self.dvc(top, "remote", "add", "-q", "-d", "storage", f"../{store}", version=version)
        return top

    def commit(self, top: Path, tag: str) -> None:
        self.run(top, "git", "add", "-A")
        self.run(top, "git", "commit", "-q", "-m", tag)
        self.run(top, "git", "tag", tag)


def write(top: Path, path: str, data: bytes, *, executable: bool = False) -> None:
    file = top / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    if executable:
        file.chmod(0o755)


def songs(make: Maker) -> None:
    """3.x: files, an executable one, directories, nesting, odd names; ignored pointers, and one elsewhere."""
    top = make.project("songs")
    write(top, "README.md", b"songs\n")
    write(top, "music/songs/a.txt", b"a\n")
    write(top, "music/songs/b.txt", b"b\r\n")
    write(top, "music/songs/empty.txt", b"")
    write(top, "music/songs/h\u00e9llo w.txt", b"hello\n")
    write(top, "music/songs/sub/deep/c.txt", b"c\n")
    write(top, "music/notes.txt", b"in git\n")
    write(top, "bin/run.sh", b"#!/bin/sh\n", executable=True)
    write(top, "one.bin", bytes(range(256)) * 16)
    write(top, "hidden/secret.txt", b"hidden\n")
    for path in ("music/songs", "bin/run.sh", "one.bin", "hidden/secret.txt"):
        make.dvc(top, "add", "-q", path)
    make.dvc(top, "push", "-q")
    make.commit(top, "v1")
    (top / ".dvcignore").write_text("/hidden\n")
    write(top, "music/songs/a.txt", b"a, again\n")
    (top / "music/songs/b.txt").unlink()
    write(top, "apart/x.csv", b"1,2\n")
    make.dvc(top, "add", "-q", "music/songs")
    make.dvc(top, "add", "-q", "apart/x.csv")
    # A pointer that is not beside its data.
    pointer = top / "apart/x.csv.dvc"
    text = pointer.read_text()
    (top / "pointers").mkdir()
    (top / "pointers/x.dvc").write_text("# moved by hand\nwdir: ../apart\n" + text)
    pointer.unlink()
    make.dvc(top, "push", "-q")
    make.commit(top, "v2")


def moved(make: Maker) -> None:
    """The remote has another name and another place in v2, and another one is the default."""
    top = make.project("moved", store="store-before")
    write(top, "a.txt", b"before\n")
    make.dvc(top, "add", "-q", "a.txt")
    make.dvc(top, "push", "-q")
    make.commit(top, "v1")
    make.dvc(top, "remote", "rename", "-q", "storage", "Renamed")
    make.dvc(top, "remote", "modify", "-q", "renamed", "url", "../store-after")
    make.dvc(top, "remote", "add", "-q", "-d", "usual", "../store-usual")
    write(top, "a.txt", b"after\n")
    write(top, "b.txt", b"in the other\n")
    make.dvc(top, "add", "-q", "a.txt")
    make.dvc(top, "add", "-q", "b.txt")
    pointer = top / "b.txt.dvc"
    pointer.write_text(pointer.read_text() + "  remote: renamed\n")
    make.dvc(top, "push", "-q")
    make.commit(top, "v2")


def old(make: Maker) -> None:
    """Made by 2.x, with text that has CRLF; then gone on with by 3.x."""
    top = make.project("old", version=2, store="store-old")
    write(top, "dos.txt", CRLF)
    write(top, "table/dos.csv", b"1,2\r\n" * 500_000)
    write(top, "table/odd.bin", b"text\r\n" * 100 + bytes(300_000) + b"\r\n")
    write(top, "table/late.txt", b"line\r\n" * 200_000 + bytes(1 << 20))
    write(top, "table/in/unix.txt", b"1\n2\n")
    for path in ("dos.txt", "table"):
        make.dvc(top, "add", "-q", path, version=2)
    make.dvc(top, "push", "-q", version=2)
    make.commit(top, "v1")
    write(top, "new.txt", CRLF + b"new\r\n")
    write(top, "more/dos.txt", CRLF)
    for path in ("new.txt", "more"):
        make.dvc(top, "add", "-q", path)
    make.dvc(top, "push", "-q")
    make.commit(top, "v2")


def pipeline(make: Maker) -> None:
    """Outputs of stages, some of which git keeps; stages of many; a directory that is a template."""
    top = make.project("pipeline", store="store-pipeline")
    write(top, "input.txt", b"1\n")
    write(top, "results/.keep", b"")
    (top / "dvc.yaml").write_text(PIPELINE)
    make.dvc(top, "repro", "-q")
    make.dvc(top, "push", "-q")
    make.commit(top, "v1")
    text = PIPELINE.replace("  split:\n", "  dropped:\n", 1)
    (top / "dvc.yaml").write_text(text)
    make.commit(top, "v2")


def mono(make: Maker) -> None:
    """A DVC project in a subdirectory of another."""
    top = make.project("mono", store="store-mono")
    write(top, "top.txt", b"top\n")
    make.dvc(top, "add", "-q", "top.txt")
    make.dvc(top, "push", "-q")
    sub = top / "teams/red"
    sub.mkdir(parents=True)
    make.dvc(sub, "init", "-q", "--subdir")
    make.dvc(sub, "remote", "add", "-q", "-d", "other", "../../../store-red")
    write(sub, "data/x.txt", b"red\n")
    make.dvc(sub, "add", "-q", "data")
    make.dvc(sub, "push", "-q")
    make.commit(top, "v1")


def consumers(make: Maker) -> None:
    """Imports, and imports of imports; DVC does not push them."""
    top = make.project("consumer", store="store-consumer")
    make.dvc(top, "import", "-q", "../songs", "music/songs", "-o", "songs-v1", "--rev", "v1")
    make.dvc(top, "import", "-q", "../songs", "music/songs/a.txt", "-o", "latest.txt")
    make.dvc(top, "import", "-q", "../songs", "README.md", "-o", "about.md")
    make.dvc(top, "import", "-q", "../songs", "music", "-o", "both")
    make.dvc(top, "import", "-q", "../songs", "one.bin", "-o", "later.bin", "--no-download")
    write(top, "own.txt", b"own\n")
    make.dvc(top, "add", "-q", "own.txt")
    make.dvc(top, "push", "-q")
    make.commit(top, "v1")
    second = make.project("second", store="store-second")
    make.dvc(second, "import", "-q", "../consumer", "songs-v1", "-o", "chained")
    make.dvc(second, "import", "-q", "../consumer", "own.txt")
    make.commit(second, "v1")


def contents(make: Maker, name: str, rev: str) -> dict[str, object]:
    """What DVC lists and gets of a project that was cloned, so that nothing comes from its own cache."""
    clone = make.top / "clones" / name
    if not clone.exists():
        make.run(make.top, "git", "clone", "-q", str(make.top / name), str(clone))
        (make.top / "clones" / "scratch").mkdir(exist_ok=True)
    # Checked out, because DVC reads another revision of a directory on this machine with the configuration of now.
    make.run(clone, "git", "checkout", "-q", rev)
    listed = json.loads(make.dvc(clone, "list", "-R", "--dvc-only", "--json", "."))
    files = {}
    for entry in json.loads(make.dvc(clone, "list", "--json", ".")):
        if not any(item["path"].split("/")[0] == entry["path"] for item in listed):
            continue  # git's alone; `dvc get` of a pointer fails
        out = make.top / "clones" / "scratch" / entry["path"]
        got = [make.dvcs[3], "get", "-q", "-o", str(out), ".", entry["path"]]
        if subprocess.run(got, cwd=clone, env=make.env, capture_output=True).returncode != 0:
            print(f"{name}@{rev}: dvc get {entry['path']} fails")
            continue
        for file in sorted(out.rglob("*")) if out.is_dir() else [out]:
            if file.is_file():
                path = file.relative_to(out.parent).as_posix()
                files[path] = hashlib.sha256(file.read_bytes()).hexdigest()
        shutil.rmtree(out) if out.is_dir() else out.unlink()
    return {
        "listed": {item["path"]: item["isexec"] for item in sorted(listed, key=lambda item: item["path"])},
        "files": {item["path"]: files.get(item["path"]) for item in listed},
    }


def main() -> None:
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    with tempfile.TemporaryDirectory() as place:
        make = Maker(Path(place), *sys.argv[1:3])
        for scene in (songs, moved, old, pipeline, mono, consumers):
            scene(make)
        (make.top / "clones").mkdir()
        for store in sorted(make.top.glob("store*")):
            (make.top / "clones" / store.name).symlink_to(store)
        expected: dict[str, dict[str, object]] = {}
        for name in ("songs", "moved", "old", "pipeline", "mono", "consumer", "second"):
            tags = make.run(make.top / name, "git", "tag").split()
            expected[name] = {rev: contents(make, name, rev) for rev in tags}
            make.run(make.top / name, "git", "bundle", "create", "-q", str(HERE / f"{name}.bundle"), "--all", "HEAD")
        (HERE / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")
        with tarfile.open(HERE / "stores.tar.xz", "w:xz") as archive:
            for store in sorted(make.top.glob("store*")):
                archive.add(store, store.name)


if __name__ == "__main__":
    main()
