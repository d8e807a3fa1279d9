"""Which modules a command loads: the stable part of how fast it starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from world import World

LOADED = """
import json, sys
from datatool.cli.main import main
code = main(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    json.dump(sorted(sys.modules), file)
sys.exit(code)
"""

NETWORK = {"fsspec", "s3fs", "sshfs", "asyncssh", "aiobotocore", "botocore"}
NEVER_AT_ONCE = {
    "typer",
    "rich",
    "pygit2",
    "ruamel",
    "asyncio",
    "subprocess",
    "importlib.metadata",
    "sqlite3",
    "pathspec",
    "msgspec",
    "dataclasses",
}
SCIENCE = {"pandas", "numpy", "pyarrow", "dask"}
RARELY_NEEDED = {  # by a call that finds everything as it was
    "datatool.operations.add",
    "datatool.operations.checkout",
    "datatool.operations.edit",
    "datatool.operations.runs.program_record",
    "datatool.operations.publish",
    "datatool.operations.pull",
    "datatool.operations.push",
    "datatool.operations.record",
    "datatool.operations.runs.end",
    "datatool.operations.stage.executor",
    "datatool.operations.stage.why",
    "datatool.operations.track.recording",
    "importlib.metadata",
}


def modules(words: list[str], top: Path, *, cwd: Path | None = None, env: dict[str, str] | None = None) -> set[str]:
    """The modules in memory when the command ends."""
    listing = top / "modules.json"
    subprocess.run(
        [sys.executable, "-P", "-c", LOADED, listing, *words],
        cwd=cwd,
        env=env,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return set(json.loads(listing.read_text()))


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["-h"], ["remote", "--help"]], ids=" ".join)
def test_version_and_help_load_nothing_of_size(words: list[str], tmp_path: Path) -> None:
    assert not modules(words, tmp_path) & (NETWORK | NEVER_AT_ONCE | SCIENCE)


def test_version_and_help_load_few_modules_at_all(tmp_path: Path) -> None:
    bare = tmp_path / "bare.json"
    subprocess.run(
        [sys.executable, "-c", f"import json, sys; json.dump(sorted(sys.modules), open({str(bare)!r}, 'w'))"],
        check=True,
    )
    ours = modules(["--help"], tmp_path) - set(json.loads(bare.read_text()))
    assert len({name for name in ours if name.startswith("datatool")}) <= 8, sorted(ours)
    assert len(ours) <= 60, sorted(ours)


@pytest.mark.parametrize("command", ["status", "diff", "list"])
def test_local_commands_load_no_network_library(command: str, world: World) -> None:
    world.write("data/a.csv", b"1")
    world.ok("add", "data")
    world.commit()
    loaded = modules([command], world.top, cwd=world.root, env=world.env)
    assert not loaded & (NETWORK | SCIENCE | {"asyncio"})


@pytest.mark.parametrize("named", [True, False])
def test_the_service_that_an_aws_profile_names_is_read_without_the_aws_library(named: bool, world: World) -> None:
    world.write("a.csv", b"1")
    world.ok("add", "a.csv")
    world.ok("remote", "add", "-d", "far", "s3://bucket/data")
    config = world.top / "aws"
    config.write_text("[profile lab]\n" + ("endpoint_url = http://lab:9000\n" if named else "region = eu-west-1\n"))
    env = {**world.env, "AWS_PROFILE": "lab", "AWS_CONFIG_FILE": str(config)}
    loaded = modules(["status"], world.top, cwd=world.root, env=env)
    assert not loaded & (NETWORK | SCIENCE | {"asyncio"})
    assert ("configparser" in loaded) == named


def test_status_with_nothing_to_do_loads_neither_rich_nor_libgit2(world: World) -> None:
    world.write("data/a.csv", b"1")
    world.ok("add", "data")
    world.commit()
    loaded = modules(["status"], world.top, cwd=world.root, env=world.env)
    assert not loaded & (RARELY_NEEDED | {"rich", "pygit2", "ruamel", "pathspec"})


@pytest.mark.parametrize("command", ["status", "diff", "list", "push", "pull", "fetch", "checkout"])
def test_a_command_without_words_loads_no_parser(command: str, world: World) -> None:
    world.write("data/a.csv", b"1")
    world.ok("add", "data")
    world.ok("push")
    world.commit()
    assert "typer" not in modules([command], world.top, cwd=world.root, env=world.env)
    assert "typer" in modules([command, "--quiet"], world.top, cwd=world.root, env=world.env)


@pytest.mark.parametrize("command", ["add", "status", "push", "pull", "fetch", "checkout", "edit"])
def test_neither_does_one_that_is_given_paths_only(command: str, world: World) -> None:
    world.write("data/a.csv", b"1")
    world.ok("add", "data")
    world.ok("push")
    world.commit()
    assert "typer" not in modules([command, "data"], world.top, cwd=world.root, env=world.env)
    assert "typer" in modules([command, "data", "--quiet"], world.top, cwd=world.root, env=world.env)


def test_add_with_nothing_to_do_loads_nothing_of_runs_and_stages(world: World) -> None:
    world.write("data/a.csv", b"1")
    world.ok("add", "data")
    loaded = modules(["add", "data"], world.top, cwd=world.root, env=world.env)
    assert not loaded & {"rich", "pygit2", "ruamel", "datatool.model.run", "datatool.model.stage"}


@pytest.mark.parametrize("words", [["list", "-R"], ["get"], ["import"]], ids=" ".join)
def test_a_registry_without_dvc_or_lfs_loads_nothing_that_reads_them(
    words: list[str], world: World, tmp_path: Path
) -> None:
    registry = World(tmp_path / "r", name="registry")
    registry.write("data/a.csv", b"1")
    registry.ok("add", "data")
    registry.commit()
    rest = [] if words[0] == "list" else ["data/a.csv", "-o", "a.csv"]
    loaded = modules([*words, str(registry.root), *rest], world.top, cwd=world.root, env=world.env)
    assert "datatool.registry.native" in loaded
    assert not loaded & {"datatool.registry.dvc.reader", "datatool.registry.lfs_objects", "pathspec"}
    assert not loaded & (NETWORK | SCIENCE | {"asyncio", "aiohttp", "rich", "pygit2", "ruamel"})


def test_nothing_is_looked_through_for_cycles_at_the_end() -> None:
    code = (
        "import atexit, gc, sys; from datatool.cli.main import entry;"
        "sys.argv[1:] = ['--help']; atexit.register(lambda: print(len(gc.get_objects()))); entry()"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) < 100


def test_code_is_only_read_where_a_script_is_named(world: World) -> None:
    world.write("a.csv", b"1")
    world.write("train.py", b"import datatool\ndatatool.track('a.csv')\n")
    world.ok("add", "a.csv")
    reader = "datatool.stages.script_inputs"
    assert reader not in modules(["status", "a.csv"], world.top, cwd=world.root, env=world.env)
    assert reader in modules(["status", "train.py"], world.top, cwd=world.root, env=world.env)


def of_a_program(name: str, world: World) -> set[str]:
    """The modules in memory when a program has ended, and with it all that is done for it."""
    code = (
        "import atexit, runpy, sys; atexit.register(lambda: print(*sys.modules));"
        f"sys.argv[:] = [{name!r}]; runpy.run_path({name!r}, run_name='__main__')"
    )
    words = [sys.executable, "-P", "-c", code]
    done = subprocess.run(words, cwd=world.root, env=world.env, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_a_program_that_tracks_what_did_not_change_loads_nothing_that_fetches_or_records(world: World) -> None:
    world.write("a.csv", b"1")
    world.write("program.py", b"import datatool\ndatatool.track('a.csv')\n")
    assert "datatool.operations.track.recording" in of_a_program("program.py", world)
    loaded = of_a_program("program.py", world)
    assert not loaded & (NETWORK | SCIENCE | RARELY_NEEDED | {"asyncio", "rich", "typer", "pygit2", "ruamel"})
    assert not {name for name in loaded if name.startswith(("datatool.remote", "datatool.registry", "datatool.views"))}


def test_a_program_whose_stages_are_kept_loads_nothing_that_asks_remotes_or_explains(world: World) -> None:
    world.write("program.py", b"import datatool\n@datatool.stage\ndef one():\n    return 1\none()\n")
    of_a_program("program.py", world)
    loaded = of_a_program("program.py", world)
    assert "datatool.operations.stage.chain" in loaded
    assert not loaded & (NETWORK | SCIENCE | RARELY_NEEDED | {"asyncio", "rich", "typer", "pygit2", "ruamel"})
    assert not {name for name in loaded if name.startswith(("datatool.remote", "datatool.registry", "datatool.views"))}


def test_importing_the_package_loads_none_of_its_modules(tmp_path: Path) -> None:
    code = "import sys; before = set(sys.modules); import datatool; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert [name for name in done.stdout.split() if name.startswith("datatool")] == ["datatool"]
    assert len(done.stdout.split()) < 8


def test_importing_the_package_is_a_matter_of_milliseconds() -> None:
    code = "import time; start = time.process_time(); import datatool; print(time.process_time() - start)"
    best = min(
        float(subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    )
    assert best < 0.03


def test_reading_what_is_here_loads_no_network_library(world: World) -> None:
    world.write("a.csv", b"1")
    world.ok("add", "a.csv")
    world.commit()
    code = "import datatool, sys; datatool.read('a.csv'); datatool.path('a.csv'); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=world.root, env=world.env, capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & (NETWORK | SCIENCE | {"asyncio", "aiohttp", "typer", "rich", "ruamel"})
