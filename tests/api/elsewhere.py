"""An executor whose workers are on another machine: processes with a home, a working directory and code of their own,
to whom nothing is known of the place from where they are asked."""

from __future__ import annotations

import dataclasses
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from environment import PACKAGE, clean_environment

_WORKER = """
import pickle, sys
output, sys.stdout = sys.stdout.buffer, sys.stderr
function, task = pickle.load(sys.stdin.buffer)
try:
    answer = function(task), None
except BaseException as problem:
    answer = None, problem
pickle.dump(answer, output)
"""


class Elsewhere(Executor):
    """Runs one task at a time, each in a new process on the machine at `top`; `sizes` are the bytes that went there,
    `said` what was written to standard error."""

    def __init__(self, top: Path, *, code: Path | None = None, **env: str) -> None:
        self.home = top / "home"
        self.cwd = top / "work"
        for directory in (self.home, self.cwd):
            directory.mkdir(parents=True, exist_ok=True)
        path = [PACKAGE, *([str(code)] if code is not None else [])]
        self.env = {**clean_environment(self.home), "PYTHONPATH": os.pathsep.join(path), **env}
        self.sizes: list[int] = []
        self.said = ""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        (task,) = args
        origin = dataclasses.replace(task.origin, root="/nowhere/at/all")  # what lies there lies on another machine
        data = pickle.dumps((function, dataclasses.replace(task, origin=origin)))
        self.sizes.append(len(data))
        done = subprocess.run(
            [sys.executable, "-c", _WORKER], input=data, cwd=self.cwd, env=self.env, capture_output=True, timeout=120
        )
        self.said += done.stderr.decode()
        assert done.returncode == 0, self.said
        result, problem = pickle.loads(done.stdout)
        future: Future[Any] = Future()
        if problem is not None:
            future.set_exception(problem)
        else:
            future.set_result(result)
        return future
