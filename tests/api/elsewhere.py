"""An executor whose worker is on another machine: a process with a home, a working directory and code of its own, to
which nothing is known of the place from where it is asked."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from msgspec import structs

from datatool.operations.stage.packed import packed
from environment import PACKAGE, clean_environment

_WORKER = """
import pickle, sys
output, sys.stdout = sys.stdout.buffer, sys.stderr
while True:
    try:
        function, task = pickle.load(sys.stdin.buffer)
    except EOFError:
        break
    try:
        answer = function(task), None
    except BaseException as problem:
        answer = None, problem
    pickle.dump(answer, output)
    output.flush()
"""


Dumps = Callable[[object], bytes]


class Elsewhere(Executor):
    """Runs one task after the other on the machine at `top`, to which `code` was copied; it ends with a `with`."""

    def __init__(
        self, top: Path, *, code: Path | None = None, cwd: Path | None = None, dumps: Dumps = pickle.dumps, **env: str
    ) -> None:
        self._dumps = dumps
        self.home = top / "home"
        work = cwd or top / "work"
        for directory in (self.home, work):
            directory.mkdir(parents=True, exist_ok=True)
        path = [PACKAGE, *([str(code)] if code is not None else [])]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WORKER],
            cwd=work,
            env={**clean_environment(self.home), "PYTHONPATH": os.pathsep.join(path), **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        task = args[0].opened()
        origin = structs.replace(task.origin, root="/nowhere/at/all")  # what lies there lies on another machine
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(self._dumps((function, packed(structs.replace(task, origin=origin)))))
        self._process.stdin.flush()
        result, problem = pickle.load(self._process.stdout)
        future: Future[Any] = Future()
        if problem is not None:
            future.set_exception(problem)
        else:
            future.set_result(result)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End it."""
        self._process.communicate()
