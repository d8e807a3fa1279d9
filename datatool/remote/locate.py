"""Where one object lies in a remote as a file of its own, for programs that read there themselves."""

from __future__ import annotations

import os

from datatool.errors import UrlNotFound
from datatool.formats.shard import LOOSE
from datatool.model.oid import ObjectId
from datatool.model.paths import named
from datatool.remote.session import Remote


def object_url(remote: Remote, address: str, oid: ObjectId, *, label: bytes) -> str:
    """The URL (of a directory: the path) of an object in an open remote, which is known by `address`.

    `label` is the path to name in messages. Raises UrlNotFound for an object that shares a file with others, and for
    one that is not there.
    """
    places = remote.state.locations([oid]).get(oid, [])
    path = os.fsdecode(label)
    for place in places:
        if place.kind == LOOSE:
            return f"{address.rstrip('/')}/{place.name}"
    if places:
        raise UrlNotFound(
            f"{named(label)}: lies in a pack of the remote {remote.name}, with others: it has no URL of its own",
            hint="datatool.open reads it; with remotes.NAME.pack false, what is pushed later lies by itself",
            path=path,
        )
    raise UrlNotFound(
        f"{named(label)}: object {oid[:12]}… is not on the remote {remote.name}",
        hint="whoever has the data runs datatool push; then ask again",
        path=path,
    )
