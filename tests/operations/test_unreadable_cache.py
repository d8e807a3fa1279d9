"""Objects of the cache that lie there and may not be read: what is wrong is said, and a push is complete after that."""

from __future__ import annotations

import os

import pytest

from needs import without_root_override
from world import World


@pytest.mark.skipif(os.name == "nt", reason="files have no modes")
@pytest.mark.parametrize("count", [1, 300], ids=["loose", "packed"])
def test_a_push_names_what_it_may_not_read_in_the_cache(world: World, count: int) -> None:
    for number in range(count):
        world.write(f"data/{number}.bin", b"%d" % number * 500)
    world.ok("add", "data")
    part = "packs" if count > 1 else "objects"
    files = [path for path in (world.root / ".git/datatool/cache" / part).rglob("*") if path.is_file()]
    file = max(files, key=lambda path: path.stat().st_size)
    mode = file.stat().st_mode
    file.chmod(0)
    ran = world.process("push", before=without_root_override())
    assert ran.code == 4, ran
    assert f"{file}: Permission denied; data was not published" in ran.err
    assert "hint: check who owns it, and its permissions" in ran.err
    file.chmod(mode)
    assert world.process("push", before=without_root_override()).code == 0
    copy = world.clone()
    copy.ok("pull")
