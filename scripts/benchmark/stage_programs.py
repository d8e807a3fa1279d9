"""Programs of stages, the same ones as each tool has them written: what W8 runs.

A program takes one word. `once` calls the chain; `calls` measures calls of it, and of two trivial stages that never ran
before, and prints the medians as JSON, in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from benchmark.tools import DATATOOL

JOBLIB, LWDP, PLAIN = "joblib", "lwdp", "plain"
STAGES: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """How stages are written with one tool. `begin` stands at the top; `first` above a function that needs nothing,
    `later` above one that needs `{before}`. `nested` says that each result is handed on by the caller. `two` calls the
    trivial functions `first` and `second` as new stages, for a `number`; `more` and `twice` are what these give. `last`
    is what loads the last result of the chain, kept by `keep`, without the tool."""

    name: str
    begin: str
    first: str
    later: str
    nested: bool
    two: str
    more: str = "number + 1"
    twice: str = "number * 2"
    keep: str = "table.to_parquet('last.parquet')"
    last: str = "pandas.read_parquet('last.parquet')"

    @property
    def program(self) -> str:
        """All of it."""
        parts = [_IMPORTS, self.begin, _stage("s0", "", self.first, "pandas.DataFrame({'n': range(1000)})")]
        for number in range(1, STAGES):
            decorator = self.later.format(before=f"s{number - 1}")
            parts.append(_stage(f"s{number}", "rows", decorator, f"rows.assign(n=rows['n'] + {number})"))
        parts += [_stage("first", "number", "", self.more), _stage("second", "number", "", self.twice)]
        calls = [f"s{number}(" for number in reversed(range(STAGES))] if self.nested else [f"s{STAGES - 1}("]
        parts.append(_stage("chain", "", "", "".join(calls) + ")" * len(calls)))
        parts.append(_stage("two", "number", "", self.two))
        parts.append(_stage("keep", "table", "", self.keep))
        parts.append(_stage("last", "number", "", self.last))
        return "\n".join([*parts, _MEASURE])


def _stage(name: str, parameters: str, decorator: str, gives: str) -> str:
    return f"{decorator}\ndef {name}({parameters}):\n    return {gives}\n"


_IMPORTS = "import json, resource, statistics, sys, time\n\nimport pandas\n"
_MEASURE = """
def timed(call, times):
    wall, cpu = [], []
    for number in range(times):
        began, used = time.perf_counter(), time.process_time()
        call(number)
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
    return [statistics.median(wall), statistics.median(cpu)]


if __name__ == "__main__":
    table = chain()
    assert table["n"].sum() == 1000 * 999 // 2 + 1000 * 190, table
    if sys.argv[1] == "calls":
        keep(table)
        times = int(sys.argv[2])
        last(0)
        two(-1)
        found = {"chain": timed(lambda _: chain(), times), "last": timed(last, times), "two": timed(two, times)}
        found["mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
        print(json.dumps(found))
"""

_REPAIRED = """
import logging
import pathlib

import joblib  # needed, and not declared
from lwdp.stage import stage  # the README's `from lwdp import stage` gives a module

(pathlib.Path.home() / ".lwdp_cache").mkdir(exist_ok=True)  # it makes a directory in there, but not this one
joblib.parallel_backend("threading")  # its processes can't read the source of a function
logging.disable()  # it logs each call on standard error
"""

WAYS: Final = (
    Way(
        name=DATATOOL,
        begin="import datatool\n",
        first="@datatool.stage(format='parquet')",
        later="@datatool.stage(rows={before}, format='parquet')",
        nested=False,
        two="datatool.stage(number=datatool.stage(number=number)(first))(second)()",
    ),
    Way(
        name=JOBLIB,
        begin="import joblib\n\nmemory = joblib.Memory('kept', verbose=0)\n",
        first="@memory.cache",
        later="@memory.cache",
        nested=True,
        two="memory.cache(second)(memory.cache(first)(number))",
        keep="joblib.dump(table, 'last.pkl')",
        last="joblib.load('last.pkl')",
    ),
    Way(
        name=LWDP,
        begin=_REPAIRED,
        first="@stage(cache=True, cache_format='parquet')",
        later="@stage(rows={before}, cache=True, cache_format='parquet')",
        nested=False,
        # What it keeps is tables, and what counts for it besides stages is the names of files.
        two="stage(number=stage(number=str(number), cache=True)(first), cache=True)(second)()",
        more="pandas.DataFrame({'n': [int(number) + 1]})",
        twice="number * 2",
    ),
    Way(name=PLAIN, begin="", first="", later="", nested=True, two="second(first(number))"),
)
