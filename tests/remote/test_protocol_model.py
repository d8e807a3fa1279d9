"""The protocol's rules, proved on a model: with all of them nothing is lost, without any one of them something is."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from protocol_model import run
from protocol_world import ODD, USUAL, DataLost, Habits, Mutant

_ENOUGH = 150
_HABITS = pytest.mark.parametrize(
    "habits", [USUAL, *ODD.values()], ids=["usual", *(mutant.name.lower() for mutant in ODD)]
)
_MORE = int(os.environ.get("DATATOOL_MODEL_SEEDS", "10"))
"""How many more runs of each; scripts/soak makes thousands."""


@_HABITS
def test_no_push_loses_an_object_whatever_is_killed_delayed_or_collected(habits: Habits) -> None:
    total: Counter[str] = Counter()
    for seed in range(12):
        total += run(seed, habits=habits)
    for what in ("pushed", "no-op", "killed", "compacted", "dropped", "damaged", "late before", "late after"):
        assert total[what], f"no run had this: {what}"


@pytest.mark.slow
@_HABITS
def test_no_push_loses_an_object_in_many_more_runs(habits: Habits) -> None:
    for seed in range(10_000, 10_000 + _MORE):
        run(seed, habits=habits)


_SEEN = {Mutant.NO_FINAL_CHECK: 6}
"""A run that lost something, where those before it are long."""


@pytest.mark.parametrize("mutant", Mutant, ids=lambda mutant: mutant.name.lower())
def test_without_a_rule_something_is_lost(mutant: Mutant) -> None:
    first = _SEEN.get(mutant, 0)
    for seed in (first, *range(_ENOUGH)):
        try:
            run(seed, mutant, habits=ODD.get(mutant, USUAL))
        except DataLost:
            return
    pytest.fail(f"nothing was lost in {_ENOUGH} runs although {mutant.value}")
