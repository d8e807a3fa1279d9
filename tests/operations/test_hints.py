"""What a refusal says to do next is what helps."""

from __future__ import annotations

from world import World


def test_add_of_what_is_not_here_names_pull_where_the_cache_lacks_it(world: World) -> None:
    world.write("big/1", b"1")
    world.write("one.bin", b"1")
    world.ok("add", "big", "one.bin")
    world.commit()
    world.ok("push")
    copy = world.clone()
    assert copy.fails(3, "add", "big", "--json").error["hint"] == "datatool pull big brings it here"
    assert copy.fails(3, "add", "one.bin", "--json").error["hint"] == "datatool pull one.bin brings it here"
    copy.ok("fetch")
    assert copy.fails(3, "add", "big", "--json").error["hint"] == "datatool checkout big brings it back"


def test_what_lies_there_untracked_is_not_taken_for_a_slip(world: World) -> None:
    world.write("a/91", b"")
    world.ok("add", "a")
    world.write("a/1", b"")
    world.write("a9", b"")
    for path in ("a/1", "a9"):
        assert world.fails(3, "checkout", path, "--json").error["hint"] == f"datatool add {path}"
    assert world.fails(3, "checkout", "a/9", "--json").error["hint"] == "did you mean a/91?"


def test_doctor_counts_one_artifact(world: World) -> None:
    world.write("a", b"")
    world.ok("add", "a")
    assert "1 artifact\n" in world.run("doctor").out + "\n"


def test_add_says_what_a_new_rule_leaves_out_that_was_tracked(world: World) -> None:
    for name in ("1.txt", "2.txt", "a.csv", "gone.txt"):
        world.write(f"n/{name}", name.encode())
    world.ok("add", "n")
    world.write(".datatoolignore", b"*.txt\n")
    (world.root / "n/gone.txt").unlink()
    said = world.ok("add", "n").err
    assert "n/1.txt and 1 more: tracked before, now left out by .datatoolignore" in said
    assert world.read("n/1.txt") == b"1.txt" and world.json("status")["artifacts"][0]["files"] == 1
    world.write("n/b.csv", b"b")
    assert "left out" not in world.ok("add", "n").err
    world.write(".datatoolignore", b"a.csv\n")
    assert "n/a.csv: tracked before" in world.ok("add", "n").err
