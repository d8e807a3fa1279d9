"""The commands that are killed, by name."""

from __future__ import annotations

from scenario import Scenario
from scenarios_of_files import Add, AddAndLink, Checkout, Collect, Move, Remove, RemoveData
from scenarios_of_registries import Clean, Get, Import, ImportUrl, Update, UpdateUrl
from scenarios_of_remotes import Copy, Pull, PullLarge, Push, PushToMirror
from scenarios_of_runs import Reproduce, Run, StageClean, Stages, Track

__all__ = ["SCENARIOS", "Scenario"]

SCENARIOS: dict[str, type[Scenario]] = {
    "add": Add,
    "add with hardlinks": AddAndLink,
    "track": Track,
    "stages": Stages,
    "checkout": Checkout,
    "push": Push,
    "push to a mirror": PushToMirror,
    "pull": Pull,
    "pull of a large file": PullLarge,
    "remote copy": Copy,
    "get": Get,
    "cache clean": Clean,
    "gc": Collect,
    "move": Move,
    "remove": Remove,
    "remove --data": RemoveData,
    "import": Import,
    "update": Update,
    "import-url": ImportUrl,
    "update from a url": UpdateUrl,
    "run": Run,
    "reproduce": Reproduce,
    "stage clean": StageClean,
}
