"""What push and fetch did, as JSON and as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from datatool.cli.screen import counted, human_size
from datatool.cli.summary import up_to_date
from datatool.model.paths import show
from datatool.operations.transfer_result import Transferred, TransferResult


def transfer_fields(result: TransferResult) -> dict[str, object]:
    """A push's or fetch's figures, without its artifacts."""
    return {
        "remote": result.remote,
        "objects": result.objects,
        "bytes": result.bytes,
        "skipped_objects": result.skipped_objects,
        "requests": result.requests,
        "dry_run": result.dry_run,
    }


def transfer_lines(result: TransferResult, done: str, would: str) -> Iterator[str]:
    """What was sent or received, and a summary; `done` and `would` are the verb's forms, as `pushed`, `would push`."""
    verb = would if result.dry_run else done
    if result.objects:
        yield f"{verb} {counted(result.objects, 'object')}, {human_size(result.bytes)} ({show(result.remote)})"
    if not result.dry_run:
        yield up_to_date([item.error for item in result.artifacts])
    elif not result.objects:
        yield f"{verb} nothing"


def only_sources_failed(artifacts: Sequence[Transferred]) -> bool:
    """Whether some artifacts are there, and those that are not failed where they were imported from: this is partly
    done, the first time as well as when it is run again."""
    return any(item.ok for item in artifacts) and all(item.at_source for item in artifacts if item.error)
