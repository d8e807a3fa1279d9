"""Finding files that stand where a directory is wanted, and the reverse."""

from __future__ import annotations


class Parents:
    """Of a sorted stream of paths, those that are a prefix of the current one."""

    def __init__(self) -> None:
        self._stack: list[bytes] = []

    def push(self, path: bytes) -> None:
        """Remember a path; they come sorted, as trees are."""
        self._drop(path)
        self._stack.append(path)

    def at_or_above(self, path: bytes) -> bytes | None:
        """The pushed path that is this one, or a parent of it."""
        self._drop(path)
        for parent in reversed(self._stack):
            if path == parent or path.startswith(parent + b"/"):
                return parent
        return None

    def _drop(self, path: bytes) -> None:
        # `a`, `a.txt`, `a/b`: what is no parent of this path may be one of a later one, as long as it sorts near it
        while self._stack and not (path + b"/").startswith(self._stack[-1]):
            self._stack.pop()
