"""Walking several sorted listings side by side, path by path."""

from __future__ import annotations

from collections.abc import Iterator

from datatool.model.entry import DIRECTORY, Entry


def same(left: Entry | None, right: Entry | None) -> bool:
    """Whether two entries stand for the same thing in the workspace."""
    if left is None or right is None:
        return left is right
    return left.kind == right.kind and left.oid == right.oid and left.target == right.target


def side_by_side(left: Iterator[Entry], right: Iterator[Entry]) -> Iterator[tuple[bytes, Entry | None, Entry | None]]:
    """Join two sorted listings: (path, entry on the left, entry on the right), in order of path.

    An empty directory and a file of the same name are two rows: the one sorts with `/` appended.
    """
    one, two = next(left, None), next(right, None)
    while one is not None or two is not None:
        key_one = None if one is None else one.path + b"/" if one.kind == DIRECTORY else one.path
        key_two = None if two is None else two.path + b"/" if two.kind == DIRECTORY else two.path
        if key_two is None or (key_one is not None and key_one < key_two):
            assert one is not None
            yield one.path, one, None
            one = next(left, None)
        elif key_one is None or key_two < key_one:
            assert two is not None
            yield two.path, None, two
            two = next(right, None)
        else:
            assert one is not None
            yield one.path, one, two
            one, two = next(left, None), next(right, None)
