"""What is to be reached; the reasons for the figures are in the project's performance goals."""

from __future__ import annotations

from types import MappingProxyType

Step = tuple[str, str]
"""Workload and step."""

RATIO = MappingProxyType(
    {
        ("W1", "add"): 0.30,
        ("W1", "add, hardlink"): 0.50,
        ("W1", "add again, unchanged"): 0.08,
        ("W1", "status"): 0.30,
        ("W1", "checkout"): 1.0,
        ("W1", "push"): 0.45,
        ("W1", "push, nothing to do"): 0.35,
        ("W1", "pull into a fresh clone"): 0.45,
        ("W2", "add"): 0.25,
        ("W2", "add again, unchanged"): 0.20,
        ("W2", "status"): 0.25,
        ("W2", "status, 100 changed"): 0.25,
        ("W2", "checkout"): 0.30,
        ("W2", "push"): 0.25,
        ("W2", "push, nothing to do"): 0.10,
        ("W2", "pull into a fresh clone"): 0.30,
        ("W3", "add"): 0.25,
        ("W3", "status"): 0.20,
        ("W3", "push"): 0.25,
        ("W4", "get one file"): 0.35,
        ("W4", "import one file"): 0.35,
        ("W4", "list -R"): 0.25,
        ("W5", "push, small files"): 0.10,
        ("W5", "push, nothing to do"): 0.60,
        ("W5", "pull, small files"): 0.20,
        ("W5", "push, one file"): 0.70,
        ("W5", "pull, one file"): 0.55,
        ("SFTP", "push, small files"): 0.20,
        ("SFTP", "pull, small files"): 0.30,
        ("SFTP", "push, one file"): 1.0,
        ("SFTP", "pull, one file"): 1.0,
    }
)
"""At most this part of DVC's wall time in the same run."""

RATIO_WITH_OBSTORE = MappingProxyType({**RATIO, ("W5", "push, nothing to do"): 0.30})
"""The same with the engine obstore."""

CPU_SECONDS = MappingProxyType(
    {
        ("W6", "--version"): 0.06,
        ("W6", "--help"): 0.10,
        ("W6", "status, empty project"): 0.12,
    }
)
"""At most this much processor time."""

SECONDS = MappingProxyType(
    {
        ("W7", "1,000 calls, unchanged, 10 artifacts"): 1.0,
        ("W7", "1,000 calls, unchanged, 1,000 artifacts"): 1.0,
        ("W7", "1,000 calls, unchanged, 10,000 artifacts"): 1.0,
        ("W7", "400 calls, new files"): 1.0,
    }
)
"""At most this much wall time, a program's start included."""

CPU_MILLISECONDS = MappingProxyType(
    {
        ("W8", "20 stages, unchanged: over loading the last result"): 10,
        ("W8", "two trivial stages that never ran, a call"): 5,
    }
)
"""The same in milliseconds. Processor time, as in W6: on a busy machine the rest is waiting for others."""

MEGABYTES = MappingProxyType({("W5", "push, one file"): 250, ("W5", "pull, one file"): 250})
"""At most this much memory, in 10⁶ bytes."""

HASHES_ONE_FILE = frozenset(
    {
        ("W1", "add"),
        ("W1", "add, hardlink"),
        ("W1", "push"),
        ("W1", "pull into a fresh clone"),
        ("W5", "push, one file"),
        ("W5", "pull, one file"),
        ("SFTP", "push, one file"),
        ("SFTP", "pull, one file"),
    }
)
"""Steps that hash the whole of the one big file once, as datatool promises to: no machine does them in less time than
one core takes for that. Many files can be hashed on several cores."""
