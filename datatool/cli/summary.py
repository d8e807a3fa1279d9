"""How artifacts came out of a command, one by one and in sum."""

from __future__ import annotations

from collections.abc import Sequence

from datatool.errors import PartlyDone, Refused
from datatool.model.figures import counted
from datatool.operations.failures import Failure


def up_to_date(errors: Sequence[Failure | None]) -> str:
    """How many artifacts are as they should be.

    >>> up_to_date([None, None])
    '2 artifacts up to date'
    """
    failed = [failure.error for failure in errors if failure]
    if not failed:
        return f"{counted(len(errors), 'artifact')} up to date"
    counts = {
        "refused": sum(isinstance(error, Refused) for error in failed),
        "incomplete": sum(isinstance(error, PartlyDone) for error in failed),
    }
    counts["failed"] = len(failed) - sum(counts.values())
    rest = ", ".join(f"{number:,} {word}" for word, number in counts.items() if number)
    return f"{len(errors) - len(failed):,} of {counted(len(errors), 'artifact')} up to date, {rest}"
