"""Ceph's S3 gateway, a complete implementation of S3: one monitor, one store in memory, one gateway."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from servers.ports import HOST, free_port, listens
from servers.processes import Processes

ACCESS_KEY_ID = "testkey"
SECRET_ACCESS_KEY = "testsecret"
GUEST = "guest"
"""A second user, who may do nothing but what a bucket's policy says; the key and the secret are `guestkey` and
`guestsecret`."""
_GIB = 6
"""Room for objects. When it is nearly full, writes wait for ever: tests delete what they wrote, and gc runs at once."""


def start(processes: Processes, data: Path, programs: dict[str, str]) -> dict[str, Any]:
    cluster, osd = str(uuid.uuid4()), str(uuid.uuid4())
    monitor_port, port = free_port(), free_port()
    monitor = f"[v2:{HOST}:{monitor_port}]"
    configuration = data / "ceph.conf"
    configuration.write_text(_configuration(data, cluster=cluster, monitor=monitor, port=port))
    for name in ("mon", "osd"):
        (data / name).mkdir()

    def command(program: str, *words: str) -> list[str]:
        return [programs[program], "-c", str(configuration), *words]

    ceph_mon, ceph_osd = command("ceph-mon", "-i", "a"), command("ceph-osd", "-i", "0")
    monmap = str(data / "monmap")
    map_command = [programs["monmaptool"], "--create", "--fsid", cluster, "--addv", "a", monitor, monmap]
    processes.run("monmaptool", map_command)
    processes.run("ceph-mon --mkfs", [*ceph_mon, "--mkfs", "--monmap", monmap])
    processes.start("ceph-mon", [*ceph_mon, "-f"])
    processes.run("ceph osd new", command("ceph", "osd", "new", osd, "0"))
    processes.run("ceph-osd --mkfs", [*ceph_osd, "--mkfs", "--osd-uuid", osd])
    processes.start("ceph-osd", [*ceph_osd, "-f"])
    processes.wait_until(
        lambda: "1 up" in processes.run("ceph osd stat", command("ceph", "osd", "stat")),
        seconds=60,
        what="the object store of Ceph",
    )
    users = {"test": (ACCESS_KEY_ID, SECRET_ACCESS_KEY), GUEST: (f"{GUEST}key", f"{GUEST}secret")}
    for name, (key, secret) in users.items():
        user = ["user", "create", "--uid", name, "--display-name", name, "--access-key", key, "--secret-key", secret]
        processes.run("radosgw-admin", command("radosgw-admin", "-n", "client.rgw", *user), seconds=120)
    processes.start("radosgw", command("radosgw", "-n", "client.rgw", "-f"))
    processes.wait_until(lambda: listens(port), seconds=60, what="radosgw to listen")
    return {"port": port, "access_key_id": ACCESS_KEY_ID, "secret_access_key": SECRET_ACCESS_KEY}


def _configuration(data: Path, *, cluster: str, monitor: str, port: int) -> str:
    logs = data.parent
    return f"""\
[global]
fsid = {cluster}
mon host = {monitor}
mon initial members = a
public addr = {HOST}
cluster addr = {HOST}
public network = 127.0.0.0/8
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
mon allow pool size one = true
mon data avail warn = 2
mon data avail crit = 1
mon max pg per osd = 1000
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = {_GIB << 30}
osd max object name len = 256
osd max object namespace len = 64
mon data = {data}/mon
osd data = {data}/osd
run dir = {data}
log file = {logs}/$name.log
pid file =
admin socket =
[client.rgw]
ms mon client mode = crc
rgw frontends = beast endpoint={HOST}:{port}
rgw enable usage log = false
rgw enable ops log = false
rgw dns name = {HOST}
rgw gc obj min wait = 1
rgw gc processor period = 2
rgw gc processor max time = 2
"""
