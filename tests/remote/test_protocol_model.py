"""The protocol's rules, proved on a model: with all of them nothing is lost, without any one of them something is."""

from __future__ import annotations

from collections import Counter

import pytest
from protocol_model import DataLost, Mutant, run

_ENOUGH = 60


def test_no_push_loses_an_object_whatever_is_killed_delayed_or_collected() -> None:
    total: Counter[str] = Counter()
    for seed in range(25):
        total += run(seed)
    for what in ("pushed", "no-op", "killed", "compacted", "dropped", "damaged", "late before", "late after"):
        assert total[what], f"no run had this: {what}"


@pytest.mark.slow
def test_no_push_loses_an_object_in_many_more_runs() -> None:
    for seed in range(10_000, 10_300):
        run(seed)


@pytest.mark.parametrize("mutant", Mutant, ids=lambda mutant: mutant.name.lower())
def test_without_a_rule_something_is_lost(mutant: Mutant) -> None:
    for seed in range(_ENOUGH):
        try:
            run(seed, mutant)
        except DataLost:
            return
    pytest.fail(f"nothing was lost in {_ENOUGH} runs although {mutant.value}")
