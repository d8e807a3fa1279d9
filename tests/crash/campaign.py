"""The long crash campaign: every kind of fault at every file-changing call. Run by scripts/soak, or by hand:

python tests/crash/campaign.py --faults kill,torn,ENOSPC+ --commands add,push --many 300 --max-points 200
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from crashpoints import build_tracer
from scenarios import SCENARIOS, Scenario

FAULTS = "kill,kill-after,torn,short,ENOSPC+,EIO,EACCES,EMLINK+,EXDEV+,term"
KILLING = {"kill", "kill-after", "torn"}
ALLOWED_CODES = {0, 1, 4, 6, 7, 143}
"""How a command may end that was disturbed but not killed."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", default=FAULTS, help="comma-separated (%(default)s)")
    parser.add_argument("--commands", default=",".join(SCENARIOS), help="comma-separated (%(default)s)")
    parser.add_argument("--many", type=int, default=0, help="so many more small files, to exercise packs")
    parser.add_argument("--max-points", type=int, default=0, help="sample at most so many points of each campaign")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=10, help="failures to print of each campaign (%(default)s)")
    options = parser.parse_args()
    bad = 0
    for command in options.commands.split(","):
        with tempfile.TemporaryDirectory(prefix="datatool-crash-") as made:
            top = Path(made).resolve()
            scenario = SCENARIOS[command](top, build_tracer(top), many=options.many)
            for fault in options.faults.split(","):
                bad += campaign(scenario, command, fault, options)
    return 1 if bad else 0


def campaign(scenario: Scenario, command: str, fault: str, options: argparse.Namespace) -> int:
    """All points of one command under one fault; returns how many are bad."""
    points = list(range(1, len(scenario.clean.calls) + 1))
    if options.max_points and len(points) > options.max_points:
        points = sorted(random.Random(options.seed).sample(points, options.max_points))
    started, failures, codes = time.monotonic(), [], Counter[int]()
    for n in points:
        scenario.stage.restore()
        ran = scenario.run(n, fault)
        codes[ran.code] += 1
        try:
            if fault not in KILLING:
                assert ran.code in ALLOWED_CODES, f"exit code {ran.code}: {ran.err[-300:]}"
                scenario.check_told(ran.err)
            scenario.check_killed()
            scenario.again()
            scenario.check_finished()
        except AssertionError as failure:
            failures.append(f"{ran.at(n)}: {str(failure)[:400]}")
    shown = " ".join(f"{code}×{count}" for code, count in sorted(codes.items()))
    print(
        f"{command:9} {fault:11} points {len(points):5}  bad {len(failures):4}"
        f"  {time.monotonic() - started:6.0f} s  {shown}"
    )
    for failure in failures[: options.show]:
        print(f"    {failure}")
    sys.stdout.flush()
    return len(failures)


if __name__ == "__main__":
    sys.exit(main())
