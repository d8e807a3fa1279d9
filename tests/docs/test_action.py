"""The steps of the GitHub action run as a runner would run them: its shell steps here, `uses:` steps only looked at."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import needs
from environment import clean_environment
from shims import search_path
from world import World

ROOT = Path(__file__).parents[2]
ACTION = ROOT / ".github" / "actions" / "setup-datatool"
TEXT = (ACTION / "action.yml").read_text(encoding="utf-8")
DOCUMENT: dict[str, Any] = YAML(typ="safe").load(TEXT)
STEPS: list[dict[str, Any]] = DOCUMENT["runs"]["steps"]


@dataclass(kw_only=True)
class Runner:
    """What a runner knows while it runs an action."""

    temp: Path
    workspace: Path
    inputs: dict[str, str]
    env: dict[str, str]
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    said: str = ""

    def value(self, expression: str) -> str:
        """The few expressions that the action uses."""
        names = {
            "github.action_path": str(ACTION),
            "runner.temp": str(self.temp),
            "runner.os": "Linux",
            "inputs.install || format('{0}/../../..', github.action_path)": (
                self.inputs["install"] or f"{ACTION}/../../.."
            ),
        }
        if expression in names:
            return names[expression]
        if match := re.fullmatch(r"inputs\.([\w-]+)", expression):
            return self.inputs[match[1]]
        match = re.fullmatch(r"steps\.(\w+)\.outputs\.([\w-]+)", expression)
        assert match is not None, f"the test knows no {expression}"
        return self.outputs.get(match[1], {}).get(match[2], "")

    def filled(self, text: str) -> str:
        return re.sub(r"\$\{\{ (.+?) \}\}", lambda match: self.value(match[1]), text)

    def wanted(self, step: Mapping[str, Any]) -> bool:
        match = re.fullmatch(r"(\S+) ([!=]=) '(\w+)'", step.get("if", "inputs.python != 'never'"))
        assert match is not None
        return (self.value(match[1]) == match[3]) == (match[2] == "==")

    def run(self) -> int:
        """All shell steps until one fails; gives its exit code."""
        shell = needs.tool("bash")
        for number, step in enumerate(STEPS):
            if "run" not in step or not self.wanted(step):
                continue
            output, paths = (self.temp / f"{number}-{name}" for name in ("output", "path"))
            output.touch()
            paths.touch()
            script = self.temp / f"{number}.sh"
            script.write_text(step["run"], encoding="utf-8")
            env = {name: self.filled(str(value)) for name, value in step.get("env", {}).items()}
            done = subprocess.run(
                [shell, "--noprofile", "--norc", "-eo", "pipefail", str(script)],
                cwd=self.workspace / self.filled(step.get("working-directory", ".")),
                env={
                    **self.env,
                    **env,
                    "GITHUB_OUTPUT": str(output),
                    "GITHUB_PATH": str(paths),
                    "GITHUB_WORKSPACE": str(self.workspace),
                },
                capture_output=True,
                text=True,
                check=False,
            )
            self.said += done.stdout + done.stderr
            for line in paths.read_text().splitlines():
                self.env["PATH"] = line + os.pathsep + self.env["PATH"]
            pairs = (line.split("=", 1) for line in output.read_text().splitlines())
            self.outputs[step.get("id", str(number))] = dict(pairs)
            if done.returncode:
                return done.returncode
        return 0

    def output(self, name: str) -> str:
        """One output of the whole action."""
        return self.filled(DOCUMENT["outputs"][name]["value"])


@pytest.fixture
def job(world: World) -> World:
    """A checkout as a job finds it, of a project with data on its remote."""
    world.write("data/a.csv", b"1")
    world.write("my data/b.csv", b"2")
    world.ok("add", "data", "my data")
    world.commit()
    world.ok("push")
    return world.clone("job")


def runner(job: World, **inputs: str) -> Runner:
    temp = job.top / "runner"
    temp.mkdir(exist_ok=True)
    home = job.top / "runner-home"
    home.mkdir(exist_ok=True)
    env = clean_environment(home)
    env["PATH"] = search_path(job.top / "bin", env["PATH"])
    defaults = {name: value["default"] for name, value in DOCUMENT["inputs"].items()}
    return Runner(
        temp=temp,
        workspace=job.root,
        inputs={**defaults, "install": "none", **{name.replace("_", "-"): value for name, value in inputs.items()}},
        env=env,
    )


def test_everything_is_pulled_and_told(job: World) -> None:
    found = runner(job)
    assert found.run() == 0, found.said
    assert job.read("data/a.csv") == b"1"
    assert found.output("exit-code") == "0"
    assert found.output("artifacts") == "2"
    assert int(found.output("objects")) == 4
    assert json.loads(found.output("result"))["command"] == "pull"
    assert found.output("cache-key") == job.ok("cache", "key").out.strip()
    assert found.output("cache-dir") == job.ok("cache", "dir").out.strip()
    assert Path(found.output("cache-dir")).is_dir()


def test_paths_stand_one_on_a_line_and_may_hold_blanks(job: World) -> None:
    found = runner(job, paths="my data\n\n")
    assert found.run() == 0, found.said
    assert job.exists("my data/b.csv")
    assert not job.exists("data/a.csv")
    assert found.output("cache-key") == job.ok("cache", "key", "my data").out.strip()


def test_a_job_without_pull_has_the_key_alone(job: World) -> None:
    found = runner(job, pull="false")
    assert found.run() == 0, found.said
    assert not job.exists("data/a.csv")
    assert found.output("cache-key")
    assert found.output("result") == ""


def test_what_inputs_say_is_data_and_no_command(job: World) -> None:
    canary = job.top / "canary"
    for said in (f"$(touch '{canary}')", f"`touch '{canary}'`", f'"; touch "{canary}"; "', "--help"):
        found = runner(job, paths=said, remote="default")
        assert found.run() == 3, found.said
        assert not canary.exists()


def test_a_failure_ends_the_job_with_the_code_of_pull(job: World) -> None:
    job.remote.rename(job.top / "gone")
    found = runner(job)
    code = found.run()
    assert code != 0
    assert found.output("exit-code") == str(code)


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_pull_that_fails_is_tried_as_often_as_asked(attempts: int, job: World) -> None:
    job.remote.rename(job.top / "gone")
    found = runner(job, attempts=str(attempts))
    assert found.run() == 4, found.said
    assert found.said.count('"code": "partly_done"') == attempts, found.said


def test_a_kept_cache_that_is_damaged_is_healed_at_once(job: World) -> None:
    assert runner(job).run() == 0
    for path in (job.cache / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"x" * path.stat().st_size)
    for name in ("state.db", "state.db-wal", "state.db-shm"):
        (job.local / name).unlink(missing_ok=True)
    for name in ("data", "my data"):
        for path in (job.root / name).iterdir():
            path.unlink()
    once = runner(job, attempts="1")
    assert once.run() == 0, once.said
    assert job.read("data/a.csv") == b"1"


def test_a_checkout_of_another_owner_is_trusted_where_git_refuses_it(job: World) -> None:
    found = runner(job)
    found.env["GIT_TEST_ASSUME_DIFFERENT_OWNER"] = "1"
    assert found.run() == 0, found.said
    said = subprocess.run(
        ["git", "config", "--global", "--get-all", "safe.directory"],
        env=found.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == str(job.root)
    assert job.cache.is_dir()


@pytest.mark.slow
def test_the_installed_program_is_on_path_for_the_steps_behind(job: World, tmp_path: Path) -> None:
    wheel = tmp_path / "datatool-9.9-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("stand_in.py", "def main():\n    print('datatool 9.9')\n")
        info = "datatool-9.9.dist-info"
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: datatool\nVersion: 9.9\nProvides-Extra: fast\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\ndatatool = stand_in:main\n")
        archive.writestr(f"{info}/RECORD", "")
    found = runner(job, install=str(wheel), extras="fast", pull="false", python=sys.executable)
    found.env["PIP_NO_INDEX"] = "1"
    found.run()
    assert "datatool 9.9" in found.said
    first = found.env["PATH"].split(os.pathsep)[0]
    assert Path(first).parent == found.temp / "datatool"
    assert found.outputs["key"]["key"] == "datatool 9.9"


def test_by_default_the_version_of_the_action_itself_is_installed(job: World) -> None:
    found = runner(job, install="")
    step = next(step for step in STEPS if step.get("id") == "install")
    assert (Path(found.filled(step["env"]["WHAT"])) / "pyproject.toml").is_file()


def test_no_expression_stands_inside_a_script() -> None:
    for step in STEPS:
        assert "${{" not in step.get("run", ""), "what an input says would become part of a command"


def test_every_input_and_output_is_described_and_used() -> None:
    for kind in ("inputs", "outputs"):
        for name, entry in DOCUMENT[kind].items():
            assert entry["description"], name
    for name in DOCUMENT["inputs"]:
        assert f"inputs.{name}" in TEXT.partition("\nruns:")[2], name
    for entry in DOCUMENT["outputs"].values():
        step = re.fullmatch(r"\$\{\{ steps\.(\w+)\.outputs\.[\w-]+ \}\}", entry["value"])
        assert step is not None
        assert any(found.get("id") == step[1] for found in STEPS)


def test_the_how_to_names_every_input_and_output() -> None:
    text = (ROOT / "docs" / "how_to" / "ci_pipelines.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE)) - set("014567")
    assert told == set(DOCUMENT["inputs"])
    for name in DOCUMENT["outputs"]:
        assert f"`{name}`" in text


def test_the_cache_is_kept_under_the_key_of_the_data(job: World) -> None:
    step = next(step for step in STEPS if "uses" in step)
    assert step["uses"].startswith("actions/cache@")
    found = runner(job)
    found.run()
    assert found.filled(step["with"]["key"]) == f"datatool-Linux-{job.ok('cache', 'key').out.strip()}"
    assert found.filled(step["with"]["path"]) == found.output("cache-dir")
    assert found.filled(step["with"]["key"]).startswith(found.filled(step["with"]["restore-keys"]))
    order = [step.get("id") for step in STEPS]
    assert order.index("key") < order.index("cache") < order.index("pull")


def test_names_with_line_breaks_make_no_output_of_their_own() -> None:
    outputs = runpy.run_path(str(ACTION / "write_outputs.py"))["outputs"]
    document = {"artifacts": [{"path": "a\nexit-code=0\udcff", "ok": True}], "objects": 1, "bytes": 2}
    found = outputs(json.dumps(document))
    assert "\n" not in found["result"]
    assert json.loads(found["result"]) == document
    assert outputs("") == {}
    assert found["result"].isascii()
