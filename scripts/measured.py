"""Run a command and write what it cost: python measured.py RESULT.json COMMAND ARGUMENT…

Seconds, processor seconds of it and its children, and the peak memory in KiB of the largest single process. A small
process of its own, because Linux counts the memory of the process that starts a program towards that program's peak.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main(arguments: list[str]) -> int:
    result, command = arguments[0], arguments[1:]
    started = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - started
    peak = usage.ru_maxrss // 1024 if sys.platform == "darwin" else usage.ru_maxrss
    code = os.waitstatus_to_exitcode(status)
    with open(result, "w", encoding="utf-8") as file:
        json.dump({"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak_kib": peak, "code": code}, file)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
