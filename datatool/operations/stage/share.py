"""Results of stages on the project's remotes: what somebody computed, nobody else computes again."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from datatool.errors import DamagedResult, DatatoolError
from datatool.model.oid import ObjectId
from datatool.model.pointer import ArtifactKind, Pointer
from datatool.model.result import ResultFormat
from datatool.model.run import RunFile, RunRecord
from datatool.operations.push import push_group
from datatool.operations.remote_access import connect_to, named_in_hints
from datatool.operations.remote_names import write_names
from datatool.operations.run_records import bring_runs
from datatool.operations.runs.search import bring_outputs
from datatool.operations.stage.results import Result, as_result, is_here
from datatool.operations.transfer_result import Totals
from datatool.operations.versions import Version
from datatool.progress import Progress
from datatool.project.project import Project

_NO_OWN_REMOTE = Pointer(kind=ArtifactKind.FILE, oid=None)


class Sharing:
    """What a project's stages have to do with its remotes."""

    def __init__(self, project: Project, progress: Progress) -> None:
        self._project = project
        self._progress = progress

    def ask(self, fingerprint: str, declared: ResultFormat | None) -> None:
        """Look for the records of a fingerprint; one that can't be used as the stage says is told."""
        for known in bring_runs(self._project, fingerprint, offline=False, progress=self._progress):
            try:
                as_result(known, declared, os.environ)
            except DamagedResult as problem:
                self._progress.warn(f"a shared result can't be used: {problem.message}")

    def bring(self, result: Result) -> bool:
        """See that the cache has the content; False where nobody has it."""
        return is_here(self._project, result) or self.bring_files([result.file])

    def bring_files(self, files: Sequence[RunFile]) -> bool:
        """Fetch what the cache lacks of some files; whether it has all of them now."""
        return bring_outputs(self._project, files, offline=False, progress=self._progress)

    def share(self, results: Sequence[Result]) -> None:
        """Push results with their records; pickles stay. What can't be pushed is told as a warning, since the results
        are here all the same."""
        shared = {
            result.run: result.record for result in results if result.record.stage and not result.record.stage.seal
        }
        if len(shared) < len(results):
            names = sorted({result.record.name for result in results if result.run not in shared})
            self._progress.warn(
                f"stage {', '.join(names)}: its result is a pickle, which stays on this machine",
                hint='format="parquet", "json" or another of those that anybody can read makes it shareable',
            )
        if not shared:
            return
        try:
            self.send(shared, ())
        except DatatoolError as error:
            self._progress.warn(f"results of stages are not shared: {error.message}", hint=error.hint)

    def send(self, runs: Mapping[ObjectId, RunRecord], files: Sequence[RunFile]) -> None:
        """Push records with their outputs, and files that the cache has. Raises RemoteNotFound, RemoteError, and what
        is wrong with a file that the cache lacks."""
        versions = [Version(path=file.path, pointer=file.pointer) for file in files]
        for name in write_names(self._project, None, _NO_OWN_REMOTE):
            connection = connect_to(self._project, name, offline=False)
            with named_in_hints(name):
                sent = push_group(
                    self._project, connection, versions, runs, Totals(), False, False, False, self._progress
                )
            for item in sent:
                if item.error is not None:
                    raise item.error.error
