"""A directory of somebody's files in each kind of place, and a project to bring them to."""

from __future__ import annotations

import pytest

from urls.sources import Source, directory_source, s3_source, ssh_source
from world import World

KINDS = ["directory", "s3", pytest.param("radosgw", marks=pytest.mark.slow), "sftp"]


@pytest.fixture(params=KINDS)
def source(request: pytest.FixtureRequest, world: World) -> Source:
    """`urls.sources.NAMES`, in a directory, a bucket, and at an SSH server."""
    if request.param == "sftp":
        found = ssh_source(request.getfixturevalue("sshd"))
    elif request.param == "directory":
        found = directory_source(world.top / "raw")
    else:
        found = s3_source(request.getfixturevalue("s3_server" if request.param == "s3" else "radosgw"))
    found.greet(world)
    found.fill()
    return found
