"""Every command's JSON document is what its schema says, no more and no less."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from datatool.cli.table import every_row
from world import Ran, World

SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "schemas"


def closed(schema: Any) -> Any:
    """The schema with every object closed: published schemas allow later additions, today's documents have none."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {key: closed(part) for key, part in schema.items()}
    if "properties" in schema and isinstance(schema.get("required"), list):
        parts.setdefault("additionalProperties", False)
    return parts


def schema_of(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name.replace(' ', '-')}.json").read_text(encoding="utf-8"))


def check(ran: Ran) -> Any:
    """Validate what a command printed against the schema of the command it names; the document."""
    document = ran.json
    Draft202012Validator(closed(schema_of(document["command"]))).validate(document)
    if ran.code and not ("--exit-code" in ran.words and ran.code == 1):
        Draft202012Validator(closed(schema_of("error"))).validate(json.loads(ran.err.splitlines()[-1]))
    return document


def test_there_is_a_schema_for_every_command_and_none_else() -> None:
    names = {f"{name.replace(' ', '-')}.json" for name, _ in every_row()}
    assert {path.name for path in SCHEMAS.iterdir()} == names | {"error.json"}


@pytest.mark.parametrize("path", sorted(SCHEMAS.iterdir()), ids=lambda path: path.stem)
def test_every_schema_is_one(path: Path) -> None:
    schema = json.loads(path.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["description"]
    if path.stem != "error":
        assert schema["properties"]["command"] == {
            "const": schema["title"].split()[1:-1] and " ".join(schema["title"].split()[1:-1])
        }


def test_documents_of_daily_work_are_as_their_schemas_say(world: World) -> None:
    world.write("data/a.csv", b"1")
    world.write("data/b.csv", b"2")
    world.write("model.bin", b"m")
    added = check(world.ok("add", "data", "model.bin", "--json"))
    assert [item["path"] for item in added["artifacts"]] == ["data", "model.bin"]
    world.commit()
    assert check(world.ok("status", "--json"))["clean"]
    pushed = check(world.ok("push", "--json"))
    assert all(item["ok"] for item in pushed["artifacts"])
    check(world.ok("status", "--remote", "--json"))
    world.write("data/a.csv", b"changed")
    world.write("data/c.csv", b"new")
    changed = check(world.fails(1, "status", "--json", "--exit-code"))
    assert changed["artifacts"][0]["changes"] == {"added": ["data/c.csv"], "modified": ["data/a.csv"], "deleted": []}
    assert len(check(world.ok("diff", "--json"))["changes"]) == 2
    check(world.fails(1, "diff", "--exit-code", "--json"))
    refused = check(world.fails(7, "checkout", "data", "--json"))
    assert refused["artifacts"][0]["error"]["code"] == "unsaved"
    forced = check(world.ok("checkout", "data", "--force", "--json"))
    assert forced["artifacts"][0]["saved_to"]
    assert check(world.ok("log", "data", "--json"))["versions"][0]["subject"]
    assert check(world.ok("log", "data/a.csv", "--json"))["versions"][0]["kind"] == "file"
    check(world.ok("fetch", "--json"))
    check(world.ok("pull", "--json"))
    check(world.ok("pull", "--dry-run", "--json"))
    entries = check(world.ok("list", "-R", "--json"))["entries"]
    assert {"data/a.csv", "data.dt", "model.bin"} <= {entry["path"] for entry in entries}
    check(world.ok("edit", "data", "--json"))
    check(world.ok("move", "model.bin", "best.bin", "--json"))
    check(world.ok("remove", "best.bin", "--json"))


def test_documents_of_remotes_and_settings_are_as_their_schemas_say(world: World) -> None:
    check(world.ok("init", "--json"))
    check(world.ok("remote", "add", "second", str(world.top / "second"), "--set", "pack=false", "--json"))
    check(world.ok("remote", "set", "second", "index_list=false", "--json"))
    check(world.ok("remote", "rename", "second", "spare", "--json"))
    check(world.ok("remote", "default", "spare", "--json"))
    assert {one["name"] for one in check(world.ok("remote", "list", "--json"))["remotes"]} == {"default", "spare"}
    check(world.ok("remote", "check", "default", "--json"))
    check(world.ok("remote", "remove", "spare", "--json"))
    check(world.ok("config", "set", "cache.link", "copy", "--json"))
    assert check(world.ok("config", "get", "cache.link", "--json"))["value"] == "copy"
    check(world.ok("config", "list", "--json"))
    check(world.ok("config", "unset", "cache.link", "--json"))


def test_documents_of_upkeep_are_as_their_schemas_say(world: World) -> None:
    check(world.ok("cache", "info", "--json"))
    assert Path(check(world.ok("cache", "dir", "--json"))["path"]).is_absolute()
    assert check(world.ok("cache", "key", "--json"))["artifacts"] == 0
    check(world.ok("cache", "clean", "--json"))
    check(world.ok("cache", "clean", "--downloads", "--dry-run", "--json"))
    check(world.ok("gc", "--json"))
    check(world.ok("gc", "--apply", "--json"))
    check(world.ok("doctor", "--json"))
    check(world.ok("completion", "fish", "--json"))
    check(world.ok("clone", str(world.root), str(world.top / "cloned"), "--json"))
    check(world.ok("clone", str(world.root), str(world.top / "bare"), "--no-pull", "--json"))


def test_documents_of_registries_are_as_their_schemas_say(world: World) -> None:
    registry = World(world.top / "other", name="registry")
    registry.write("data/a.csv", b"1")
    registry.write("src/a.py", b"1")
    registry.ok("add", "data")
    registry.commit()
    check(world.ok("registry", "add", "songs", str(registry.root), "--json"))
    assert check(world.ok("registry", "list", "--json"))["registries"]
    assert check(world.ok("list", "songs", "-R", "--json"))["entries"]
    assert check(world.ok("get", "songs", "data", "src", "-o", "out", "--json"))["artifacts"]
    world.write("out/data/a.csv", b"2")
    world.fails(7, "get", "songs", "data", "-o", "out", "--json")
    assert check(world.ok("import", "songs", "data", "--json"))["artifacts"][0]["changed"]
    world.commit()
    assert check(world.ok("log", "data", "--json"))["versions"][0]["source"]["commit"]
    check(world.ok("update", "--check", "--json"))
    registry.write("data/a.csv", b"3")
    registry.ok("add", "data")
    registry.commit()
    world.write("data/a.csv", b"my own")
    assert check(world.fails(7, "update", "--json"))["failed"]
    assert check(world.ok("update", "--force", "--json"))["artifacts"][0]["modified"] == 1
    check(world.ok("registry", "remove", "songs", "--json"))


def test_documents_of_urls_are_as_their_schemas_say(world: World) -> None:
    theirs = world.top / "theirs"
    theirs.mkdir()
    (theirs / "a.csv").write_bytes(b"1")
    assert check(world.ok("get-url", str(theirs), "out", "--json"))["artifacts"][0]["files"] == 1
    assert check(world.ok("import-url", str(theirs), "data", "--json"))["artifacts"][0]["changed"]
    check(world.ok("import-url", str(theirs / "a.csv"), "b.csv", "--no-download", "--json"))
    check(world.ok("status", "--remote", "--json"))
    (theirs / "a.csv").write_bytes(b"1,2")
    assert check(world.ok("update", "data", "--check", "--json"))["artifacts"][0]["available"]
    assert any(item["available"] for item in check(world.ok("status", "--remote", "--json"))["artifacts"])
    assert check(world.ok("update", "--json"))["artifacts"][1]["modified"] == 1


def test_documents_of_runs_are_as_their_schemas_say(world: World) -> None:
    world.write("in.csv", b"1")
    words = ("run", "-d", "in.csv", "-o", "out", "--json", "--", "cp", "-r", "in.csv", "out")
    assert check(world.ok(*words))["action"] == "executed"
    assert check(world.ok(*words))["action"] == "unchanged"
    check(world.ok("reproduce", "out", "--dry-run", "--json"))
    assert check(world.ok("reproduce", "out", "--force", "--json"))["runs"][0]["same"] is True
    check(world.ok("run", "-o", "fails", "--json", "--", "sh", "-c", "[ -e in.csv ] && touch fails"))
    world.ok("remove", "in.csv", "--data")
    assert check(world.fails(1, "reproduce", "fails", "--force", "--json"))["runs"][0]["error"]


def test_documents_of_stages_are_as_their_schemas_say(world: World) -> None:
    code = "import datatool\nRATE = 2\n@datatool.stage\ndef a():\n    return RATE\n"
    world.write("pipe.py", f"{code}@datatool.stage(a=a)\ndef b(a):\n    return a\n".encode())
    subprocess.run([sys.executable, "-c", "import pipe; pipe.b()"], cwd=world.root, env=world.env, check=True)
    assert check(world.ok("stage", "list", "--json"))["stages"][0]["results"]
    assert check(world.ok("why", "pipe.py", "--json"))["cached"] is True
    world.write("pipe.py", (world.root / "pipe.py").read_bytes().replace(b"= 2", b"= 3"))
    assert check(world.ok("stage", "why", "pipe.py", "--json"))["stages"][1]["waits_for"] == ["pipe:a"]
    assert check(world.ok("stage", "graph", "pipe.py", "--json"))["nodes"]
    assert len(check(world.ok("stage", "clean", "--all", "--dry-run", "--json"))["forgotten"]) == 2


def test_errors_are_as_their_schema_says(world: World) -> None:
    for code, words in ((2, ["add"]), (3, ["status", "nothere"]), (3, ["config", "get", "cache.dir"]), (2, ["frob"])):
        ran = world.fails(code, *words, "--json")
        Draft202012Validator(closed(schema_of("error"))).validate(json.loads(ran.err.splitlines()[-1]))
        assert ran.out == ""
