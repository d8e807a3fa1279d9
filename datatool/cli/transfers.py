"""What push and fetch did, as JSON and as text."""

from __future__ import annotations

from collections.abc import Iterator

from datatool.cli.summary import up_to_date
from datatool.model.figures import counted, human_size
from datatool.model.paths import show
from datatool.operations.transfer_result import Sent, TransferResult


def transfer_lines(result: TransferResult, done: str, would: str) -> Iterator[str]:
    """What was sent or received, and a summary; `done` and `would` are the verb's forms, as `pushed`, `would push`."""
    verb = would if result.dry_run else done
    if result.objects:
        yield f"{verb} {counted(result.objects, 'object')}, {human_size(result.bytes)} ({show(result.remote)})"
    if not result.dry_run:
        places = result.places if isinstance(result, Sent) else {}
        if len(places) > 1 and any(any(errors) for errors in places.values()):
            yield from (f"{show(name)}: {up_to_date(errors)}" for name, errors in sorted(places.items()))
        else:
            yield up_to_date([item.error for item in result.artifacts])
    elif not result.objects:
        yield f"{verb} nothing"
