"""What a pull does when the cache's copy of something turns out to be damaged: it gets another one from the remote.

The cache is trusted (formats §4), so only a checkout meets such a copy. It sets it aside, and then it is lacking.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from datatool.errors import DamageFound, DatatoolError
from datatool.model.paths import named, show
from datatool.operations.checkout import CheckoutResult
from datatool.operations.checkouts.checked_out import CheckedOut, by_artifact
from datatool.operations.failures import failure_of
from datatool.operations.transfer_result import TransferResult
from datatool.progress import Progress

Pulled = tuple[TransferResult, CheckoutResult]
"""What was fetched, and what was checked out."""


def healed(
    pulled: Pulled, fetch: Callable[[], TransferResult], checkout: Callable[[], CheckoutResult], progress: Progress
) -> Pulled:
    """The same with what `fetch` and `checkout` bring once more of the artifacts that were damaged in the cache. One
    that no remote has stays DamageFound, with what the remote's error advises."""
    transfer, done = pulled
    damaged = {item.path: item for item in done.artifacts if _was_damaged(item)}
    if not damaged:
        return pulled
    try:
        again = fetch()
    except DatatoolError:
        return pulled
    failed = {item.path: item.error.error for item in again.artifacts if item.error and item.path in damaged}
    then = [item for item in checkout().artifacts if item.path in damaged and item.path not in failed]
    for path, item in damaged.items():
        if path not in failed and item.error is not None:
            progress.warn(f"{show(item.error.message)}; it was fetched again")
    artifacts = [_unhealed(item, failed[item.path]) if item.path in failed else item for item in done.artifacts]
    again_done = {item.path for item in then}
    begun = [replace(item, error=None, missing=()) for item in artifacts if item.path in again_done]
    rest = [item for item in artifacts if item.path not in again_done]
    return (
        replace(
            transfer,
            objects=transfer.objects + again.objects,
            bytes=transfer.bytes + again.bytes,
            requests=transfer.requests + again.requests,
        ),
        replace(done, artifacts=tuple(sorted([*rest, *by_artifact([*begun, *then])], key=lambda item: item.path))),
    )


def _was_damaged(item: CheckedOut) -> bool:
    return item.error is not None and isinstance(item.error.error, DamageFound)


def _unhealed(item: CheckedOut, cause: DatatoolError) -> CheckedOut:
    if item.error is None or not _was_damaged(item):
        return item
    first = item.error.error
    why = cause.message.removeprefix(f"{named(os.fsencode(item.path))}: ")
    return replace(item, error=failure_of(DamageFound(f"{first.message}; {why}", hint=cause.hint, path=first.path)))
