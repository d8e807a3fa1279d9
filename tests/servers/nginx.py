"""nginx: one directory behind three paths - with ranges, without ranges, and behind a password."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from servers.ports import HOST, free_port, listens
from servers.processes import Processes

USER = "reader"
PASSWORD = "open sesame"


def start(processes: Processes, data: Path, programs: dict[str, str]) -> dict[str, Any]:
    port = free_port()
    directory = processes.directory
    for name in ("files", "buffers"):
        (data / name).mkdir()
    (directory / "passwords").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
    configuration = directory / "nginx.conf"
    configuration.write_text(_configuration(directory, data, port=port))
    command = [programs["nginx"], "-p", str(directory), "-c", str(configuration), "-e", str(directory / "error.log")]
    processes.start("nginx", command)
    processes.wait_until(lambda: listens(port), seconds=30, what="nginx to listen")
    return {"port": port, "files": str(data / "files"), "user": USER, "password": PASSWORD}


def _configuration(directory: Path, data: Path, *, port: int) -> str:
    # One process: a master and its workers would outlive each other when one of them is killed.
    return f"""\
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log {directory}/access.log;
    default_type application/octet-stream;
    types {{ text/html html; text/plain txt; application/json json; }}
    client_body_temp_path {data}/buffers/body;
    proxy_temp_path {data}/buffers/proxy;
    fastcgi_temp_path {data}/buffers/fastcgi;
    uwsgi_temp_path {data}/buffers/uwsgi;
    scgi_temp_path {data}/buffers/scgi;
    keepalive_requests 10000;
    server {{
        listen {HOST}:{port};
        location /files/ {{ alias {data}/files/; }}
        location /without-ranges/ {{ alias {data}/files/; max_ranges 0; }}
        location /with-password/ {{
            alias {data}/files/;
            auth_basic "test";
            auth_basic_user_file {directory}/passwords;
        }}
    }}
}}
"""
