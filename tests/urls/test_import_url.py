"""import-url, and update of what it brought."""

from __future__ import annotations

import os

from urls.sources import NAMES, Source
from world import World, tree


def the_one(document: dict[str, list[dict[str, object]]]) -> dict[str, object]:
    (found,) = document["artifacts"]
    return found


def with_remote(world: World, source: Source) -> None:
    """Configure a place as a remote, so that what is imported from there is reached without options."""
    if source.settings:
        options = [word for key, value in source.settings.items() for word in ("--set", f"{key}={value}")]
        world.ok("remote", "add", "theirs", source.url, *options)


def test_an_import_remembers_its_url_and_is_an_artifact_like_any(world: World, source: Source) -> None:
    found = the_one(world.json("import-url", source.url, "data/raw", *source.options))
    assert tree(world.root / "data/raw") == NAMES
    assert (found["path"], found["pointer"]) == ("data/raw", "data/raw.dt")
    assert (found["changed"], found["added"], found["available"]) == (True, len(NAMES), None)
    noted = found["source"]
    assert isinstance(noted, dict)
    assert noted["url"] == source.url and noted["etag"]
    assert [noted[key] for key in ("repo", "path", "rev", "commit", "origin")] == [None] * 5
    text = world.read("data/raw.dt").decode()
    assert f"url: {source.url}" in text and "etag: " in text
    for secret in ("secret_access_key", "keyfile"):
        assert source.settings.get(secret, "?") not in text
    assert "data/raw.dt" in world.git("diff", "--cached", "--name-only")
    assert world.json("status")["clean"]


def test_an_update_without_news_asks_and_does_nothing(world: World, source: Source) -> None:
    with_remote(world, source)
    world.ok("import-url", source.url, "raw")
    world.ok("import-url", source.at("a.csv"), "one.csv")
    world.commit()
    before = world.read("raw.dt"), world.read("one.csv.dt")
    done = world.json("update")
    assert [(item["path"], item["changed"]) for item in done["artifacts"]] == [("one.csv", False), ("raw", False)]
    assert (world.read("raw.dt"), world.read("one.csv.dt")) == before
    assert world.git("status", "--porcelain") == ""


def test_an_update_follows_what_changed_there(world: World, source: Source) -> None:
    with_remote(world, source)
    world.ok("import-url", source.url, "raw")
    world.ok("import-url", source.at("a.csv"), "one.csv")
    world.commit()
    source.write("a.csv", b"a,1\nb,2\n")
    source.write("new.txt", b"new\n")
    source.delete("deep/er/b c.txt")
    checked = world.json("update", "--check")["artifacts"]
    assert all(item["available"] and not item["changed"] for item in checked)
    assert world.git("status", "--porcelain") == ""
    dry = {item["path"]: item for item in world.json("update", "--dry-run")["artifacts"]}
    assert (dry["raw"]["added"], dry["raw"]["modified"], dry["raw"]["deleted"]) == (1, 1, 1)
    assert world.git("status", "--porcelain") == "" and world.read("raw/a.csv") == b"a,1\n"
    done = {item["path"]: item for item in world.json("update")["artifacts"]}
    assert (done["raw"]["added"], done["raw"]["modified"], done["raw"]["deleted"]) == (1, 1, 1)
    assert (done["one.csv"]["changed"], done["one.csv"]["modified"]) == (True, 1)
    wanted = {**NAMES, "a.csv": b"a,1\nb,2\n", "new.txt": b"new\n"}
    del wanted["deep/er/b c.txt"]
    assert tree(world.root / "raw") == wanted
    assert world.read("one.csv") == b"a,1\nb,2\n"
    assert world.json("status")["clean"]
    assert not any(item["changed"] for item in world.json("update")["artifacts"])


def test_unsaved_edits_stop_an_update(world: World, source: Source) -> None:
    with_remote(world, source)
    world.ok("import-url", source.url, "raw")
    world.commit()
    world.write("raw/a.csv", b"mine")
    source.write("a.csv", b"theirs, and longer")
    before = world.read("raw.dt")
    world.fails(7, "update", "raw")
    assert (world.read("raw/a.csv"), world.read("raw.dt")) == (b"mine", before)
    world.ok("update", "raw", "--force")
    assert world.read("raw/a.csv") == b"theirs, and longer"
    saved = [path for path in (world.local / "lost+found").rglob("a.csv") if path.is_file()]
    assert [path.read_bytes() for path in saved] == [b"mine"]


def test_only_the_pointer_is_written_without_download(world: World, source: Source) -> None:
    with_remote(world, source)
    world.ok("import-url", source.url, "raw", "--no-download")
    assert not world.exists("raw") and b"oid" not in world.read("raw.dt")
    refused = world.run("pull", "raw", "--json")
    assert "datatool update raw" in refused.json["artifacts"][0]["error"]["hint"]
    world.ok("update", "raw")
    assert tree(world.root / "raw") == NAMES


def test_a_clone_gets_the_data_from_the_remote_or_else_from_the_url(world: World, source: Source) -> None:
    with_remote(world, source)
    world.ok("import-url", source.url, "raw")
    world.ok("import-url", source.at("a.csv"), "one.csv")
    world.commit()
    clone = world.clone()
    source.greet(clone)
    if source.settings:
        private = [f"{key}={value}" for key, value in source.settings.items() if key not in ("endpoint_url", "region")]
        clone.ok("remote", "set", "theirs", "--local", *private)
    clone.ok("pull")
    assert tree(clone.root / "raw") == NAMES and clone.read("one.csv") == NAMES["a.csv"]
    source.write("a.csv", b"b,1\n")  # of the same size
    late = world.clone("late")
    source.greet(late)
    if source.settings:
        late.ok("remote", "set", "theirs", "--local", *private)
    ran = late.fails(4, "pull", "--json")
    errors = [item["error"] for item in ran.json["artifacts"]]
    assert all("other content" in error["message"] and "datatool update" in error["hint"] for error in errors)
    assert not late.exists("one.csv")
    world.ok("push")
    late.ok("pull")
    assert tree(late.root / "raw") == NAMES and late.read("one.csv") == NAMES["a.csv"]


def test_revisions_mean_nothing_to_a_url(world: World, source: Source) -> None:
    world.ok("import-url", source.at("a.csv"), *source.options)
    for words in (["--rev", "v1"], ["--latest"], ["--remote", "elsewhere"]):
        world.fails(2, "update", "a.csv", *words)
        assert world.json("update", *words)["artifacts"] == []


def test_settings_may_be_typed_for_an_update(world: World, source: Source) -> None:
    world.ok("import-url", source.at("a.csv"), *source.options)
    source.write("a.csv", b"longer than before")
    world.ok("update", "a.csv", *source.options)
    assert world.read("a.csv") == b"longer than before"


def test_a_remote_may_be_called_by_its_name(world: World, source: Source) -> None:
    options = [word for key, value in source.settings.items() for word in ("--set", f"{key}={value}")]
    world.ok("remote", "add", "theirs", source.url, *options)
    world.ok("import-url", "remote://theirs/deep", "data")
    inside = {name.removeprefix("deep/"): data for name, data in NAMES.items() if name.startswith("deep/")}
    assert tree(world.root / "data") == inside
    assert b"url: remote://theirs/deep\n" in world.read("data.dt")
    assert world.json("update")["artifacts"][0]["changed"] is False
    world.fails(3, "import-url", "remote://nobody/x")


def test_what_is_tracked_already_is_not_replaced_unless_forced(world: World, source: Source) -> None:
    world.write("a.csv", b"mine")
    world.ok("add", "a.csv")
    world.fails(7, "import-url", source.at("a.csv"), *source.options)
    assert world.read("a.csv") == b"mine"
    world.ok("import-url", source.at("a.csv"), "--force", *source.options)
    assert world.read("a.csv") == NAMES["a.csv"]


def test_files_that_are_in_the_way_stop_an_import(world: World, source: Source) -> None:
    world.write("raw/a.csv", b"mine")
    world.fails(7, "import-url", source.url, *source.options)
    assert tree(world.root / "raw") == {"a.csv": b"mine"} and not world.exists("raw.dt")
    world.ok("import-url", source.url, "--force", *source.options)
    assert tree(world.root / "raw") == NAMES


def test_a_failed_import_leaves_nothing_behind(world: World, source: Source) -> None:
    before = world.tree()
    world.fails(3, "import-url", source.at("nothing"), "data/x", *source.options)
    assert world.tree() == before
    assert not os.path.exists(world.cache / "tmp") or not any((world.cache / "tmp").iterdir())
