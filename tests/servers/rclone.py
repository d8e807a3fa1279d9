"""`rclone serve s3`: a small S3 server that checks signatures. It answers ranges with 200 instead of 206."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from servers.ports import HOST, free_port, listens
from servers.processes import Processes

ACCESS_KEY_ID = "testkey"
SECRET_ACCESS_KEY = "testsecret"


def start(processes: Processes, data: Path, programs: dict[str, str]) -> dict[str, Any]:
    port = free_port()
    command = [programs["rclone"], "serve", "s3", str(data), "--addr", f"{HOST}:{port}"]
    command += ["--auth-key", f"{ACCESS_KEY_ID},{SECRET_ACCESS_KEY}", "--force-path-style=true"]
    command += ["--etag-hash", "MD5", "--no-cleanup", "--config", "/dev/null"]
    processes.start("rclone", command)
    processes.wait_until(lambda: listens(port), seconds=60, what="rclone to listen")
    return {"port": port, "access_key_id": ACCESS_KEY_ID, "secret_access_key": SECRET_ACCESS_KEY}
