"""DVC's remotes over the network: the same objects, the user's own credentials."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from datatool.errors import PartlyDone, RemoteError
from datatool.registry.dvc.storage import STEP
from registry.dvc.dvc_world import SILENT_TASK, Place, Project, md5

if TYPE_CHECKING:
    from servers.fixtures import S3Server, SshServer, WebServer

BIG = bytes(range(241)) * (STEP // 241 + 1000)


def filled(top: Path, config: str) -> Project:
    project = Project.make(top, config=config)
    project.track("a", b"1")
    project.track("empty", b"")
    project.track("big", BIG)
    project.track("gone", b"gone")
    listing = [{"md5": project.keep(b"%d" % n), "relpath": f"n{n}"} for n in range(20)]
    project.track_directory("d", listing)
    (project.store / "files/md5" / md5(b"gone")[:2] / md5(b"gone")[2:]).unlink()
    project.commit()
    return project


def check(place: Place, project: Project) -> None:
    found = place.bring(place.everything(str(project.top), None))
    assert isinstance(found.pop("gone"), PartlyDone)
    assert found == {"a": b"1", "empty": b"", "big": BIG} | {f"d/n{n}": b"%d" % n for n in range(20)}


def test_a_remote_on_a_web_server(web_server: WebServer, place: Place, tmp_path: Path) -> None:
    url = f"{web_server.url}/dvc"
    project = filled(tmp_path, f"[core]\nremote = w\n['remote \"w\"']\nurl = {url}\n")
    shutil.move(project.store, web_server.directory / "dvc")
    check(place, project)


def test_a_web_server_without_ranges(web_server: WebServer, place: Place, tmp_path: Path) -> None:
    url = f"{web_server.url_without_ranges}/dvc"
    project = filled(tmp_path, f"[core]\nremote = w\n['remote \"w\"']\nurl = {url}\n")
    shutil.move(project.store, web_server.directory / "dvc")
    check(place, project)


def test_a_password_from_the_local_configuration(web_server: WebServer, place: Place, tmp_path: Path) -> None:
    url = f"{web_server.url_with_password}/dvc"
    project = filled(tmp_path, f"[core]\nremote = w\n['remote \"w\"']\nurl = {url}\nauth = basic\n")
    shutil.move(project.store, web_server.directory / "dvc")
    (project.top / ".dvc/config.local").write_text(
        f"['remote \"w\"']\n    user = {web_server.user}\n    password = {web_server.password}\n"
    )
    check(place, project)


def test_a_bucket(s3_server: S3Server, place: Place, tmp_path: Path) -> None:
    bucket = s3_server.bucket()
    config = f"""\
[core]
    remote = b
['remote "b"']
    url = s3://{bucket}/pre/fix
    endpointurl = {s3_server.endpoint}
    region = {s3_server.region}
"""
    project = filled(tmp_path, config)
    (project.top / ".dvc/config.local").write_text(
        "['remote \"b\"']\n"
        f"access_key_id = {s3_server.access_key_id}\nsecret_access_key = {s3_server.secret_access_key}\n"
    )
    raw = s3_server.raw()
    for file in sorted(project.store.rglob("*")):
        if file.is_file():
            name = file.relative_to(project.store).as_posix()
            assert raw.send("PUT", f"/{bucket}/pre/fix/{name}", body=file.read_bytes()).status == 200
    check(place, project)


def test_a_directory_over_ssh(sshd: SshServer, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    shutil.copyfile(sshd.known_hosts, home / ".ssh/known_hosts")
    monkeypatch.setenv("HOME", str(home))
    config = f"[core]\nremote = s\n['remote \"s\"']\nurl = ssh://{sshd.host}{tmp_path}/store\nport = {sshd.port}\n"
    project = filled(tmp_path, config)
    (project.top / ".dvc/config.local").write_text(f"['remote \"s\"']\nuser = {sshd.user}\nkeyfile = {sshd.key}\n")
    check(place, project)


def test_a_server_that_is_gone_is_told_once(place: Place, tmp_path: Path) -> None:
    project = filled(tmp_path, "[core]\nremote = w\n['remote \"w\"']\nurl = http://127.0.0.1:1/x\n")
    there = place.everything(str(project.top), None)
    offers = [offer for offer in there.dvc_offers() if offer.problem is None]
    assert [offer.path for offer in there.dvc_offers() if offer.problem is not None] == [b"d"]
    with pytest.raises(RemoteError, match=r"127\.0\.0\.1:1"):
        list(there.bring(offers, place.cache, SILENT_TASK))


def test_a_version_that_only_the_bucket_remembers(radosgw: S3Server, place: Place, tmp_path: Path) -> None:
    bucket = radosgw.bucket()
    raw = radosgw.raw()
    on = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    assert raw.send("PUT", f"/{bucket}?versioning=", body=on).status == 200
    versions = {}
    for name, data in (("d/a b.txt", b"first"), ("d/big", BIG), ("d/a b.txt", b"second"), ("d/big", b"small now")):
        answer = raw.send("PUT", f"/{bucket}/base/{name.replace(' ', '%20')}", body=data)
        versions.setdefault(name, answer.headers["x-amz-version-id"])
    config = f"""\
[core]
    remote = v
['remote "v"']
    url = s3://{bucket}/base
    endpointurl = {radosgw.endpoint}
    region = {radosgw.region}
    version_aware = true
"""
    project = Project.make(tmp_path, config=config)
    (project.top / ".dvc/config.local").write_text(
        f"['remote \"v\"']\naccess_key_id = {radosgw.access_key_id}\nsecret_access_key = {radosgw.secret_access_key}\n"
    )
    files = "".join(
        f"  - relpath: {name[2:]}\n    md5: {md5(data)}\n    size: {len(data)}\n"
        f"    cloud:\n      v:\n        version_id: {versions[name]}\n"
        for name, data in (("d/a b.txt", b"first"), ("d/big", BIG))
    )
    project.write("d.dvc", f"outs:\n- hash: md5\n  path: d\n  files:\n{files}")
    project.commit()
    assert place.bring(place.everything(str(project.top), None)) == {"d/a b.txt": b"first", "d/big": BIG}
