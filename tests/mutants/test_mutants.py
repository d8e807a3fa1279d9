"""Faults put into the real code on purpose, each caught by a fast test that is named here.

A mutant is one edit of one module of a copy of the package. The named test must pass with the real code (it runs in
the suite like any other) and fail with the mutant: a suite that lets one live does not keep its promise.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import datatool

ROOT = Path(__file__).parents[2]
PACKAGE = Path(datatool.__file__).parent
TESTS = "tests/test_promises.py"
ARGUMENTS = "tests/api/test_stage_arguments.py"
RESULTS = "tests/api/test_stage_results.py"
KEYS = "tests/api/test_stage_keys.py"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """Replace `old`, which stands exactly once in `module`, by `new`; the test `caught_by` in `tests` fails then."""

    name: str
    module: str
    old: str
    new: str
    caught_by: str
    tests: str = TESTS


MUTANTS = [
    Mutant(
        name="skip the hash of what a remote sent",
        module="store/transfer.py",
        old="if digest(data) != want.oid:",
        new="if False:",
        caught_by="test_wrong_bytes_from_a_remote_are_never_used",
    ),
    Mutant(
        name="give a file its name before it is synced",
        module="localfs/atomic.py",
        old="            if durability is not Durability.NONE:\n                os.fsync(fd)\n",
        new="",
        caught_by="test_a_file_is_on_disk_before_it_gets_its_name",
    ),
    Mutant(
        name="keep in an early copy what was written once more",
        module="localfs/following.py",
        old="                self._at = min(self._at, start)\n",
        new="",
        caught_by="test_what_is_written_once_more_is_copied_once_more",
        tests="tests/localfs/test_following.py",
    ),
    Mutant(
        name="take an early copy of what was not whole",
        module="workspace/early_copies.py",
        old="        complete = False\n",
        new="        complete = True\n",
        caught_by="test_what_nobody_takes_is_gone or test_damage_on_the_remote or test_an_early_copy_that_fails",
        tests="tests/operations/test_early_copies.py",
    ),
    Mutant(
        name="adopt a file that somebody has open for writing",
        module="localfs/leases.py",
        old="    except OSError:\n        yield None\n        return\n",
        new="    except OSError:\n        pass\n",
        caught_by="test_a_file_that_somebody_has_open_for_writing_is_not_leased",
        tests="tests/localfs/test_leases.py",
    ),
    Mutant(
        name="adopt a file that somebody has just opened",
        module="localfs/leases.py",
        old="        if self.holds:\n",
        new="        if True:\n",
        caught_by="test_who_opens_it_between_the_hash_and_the_seal_does_too",
        tests="tests/operations/test_adopted_files.py",
    ),
    Mutant(
        name="hash on while somebody waits to write",
        module="workspace/adopt.py",
        old="                if not lease.holds:\n",
        new="                if False:\n",
        caught_by="test_who_opens_it_while_it_is_hashed_does_not_wait_for_all_of_it",
        tests="tests/operations/test_adopted_files.py",
    ),
    Mutant(
        name="adopt a file that has another name",
        module="cache/adoption.py",
        old="            and found.st_nlink == 1\n",
        new="",
        caught_by="test_a_file_under_two_names_is_copied",
        tests="tests/operations/test_adopted_files.py",
    ),
    Mutant(
        name="leave files read-only where add fails",
        module="cache/adoption.py",
        old="                unseal(os.path.join(self._top, item.temp), item.rights, unless=target)\n",
        new="                pass\n",
        caught_by="test_an_add_that_fails_gives_its_files_their_modes_back",
        tests="tests/operations/test_adoption_failures.py",
    ),
    Mutant(
        name="make what is an object writable where add fails",
        module="localfs/leases.py",
        old="(there.st_dev, there.st_ino) != (found.st_dev, found.st_ino)",
        new="True",
        caught_by="test_one_that_is_stopped_while_files_get_their_names_leaves_objects_read_only",
        tests="tests/operations/test_adoption_failures.py",
    ),
    Mutant(
        name="replace a file by a link while somebody writes to it",
        module="operations/relink.py",
        old="            if is_written_to(full) and on_own_disk(project.root):",
        new="            if False:",
        caught_by="test_a_file_that_somebody_has_open_for_writing_is_copied_and_stays_theirs",
        tests="tests/operations/test_adopted_files.py",
    ),
    Mutant(
        name="publish a batch without a sync",
        module="localfs/batch.py",
        old="self._syncs.files((item.temp, item.stat) for item in self._pending)",
        new="pass",
        caught_by="test_a_batch_is_on_disk_before_any_of_it_gets_its_name",
    ),
    Mutant(
        name="drop the last page of a tree",
        module="formats/tree_object.py",
        old="chosen = _holding(pages, within) if within else pages",
        new="chosen = _holding(pages, within) if within else pages[:-1]",
        caught_by="test_every_page_of_a_large_tree_travels",
    ),
    Mutant(
        name="take a file for what the tree has without its stamp",
        module="index/listing.py",
        old="strict=True)) if a != b]",
        new="strict=True)) if a is None]",
        caught_by="test_an_edit_and_a_new_file_among_many_are_seen",
    ),
    Mutant(
        name="ignore the executable bit",
        module="workspace/present.py",
        old="letter = EXECUTABLE if found.st_mode & 0o111 else FILE",
        new="letter = FILE",
        caught_by="test_an_executable_file_stays_executable",
    ),
    Mutant(
        name="trust the mode of an object",
        module="cache/trust.py",
        old="return known == _key(stat)",
        new="return not stat.st_mode & 0o222",
        caught_by="test_read_only_modes_prove_nothing_about_an_object",
    ),
    Mutant(
        name="forget the racy rule",
        module="workspace/present.py",
        old="for path, stamp, oid in hashed if changed_in(stamp) < before",
        new="for path, stamp, oid in hashed",
        caught_by="test_a_hash_is_not_remembered_for_a_file_that_may_change_unseen",
    ),
    Mutant(
        name="forget the racy rule for files we write",
        module="localfs/batch.py",
        old="            and changed <= before\n",
        new="",
        caught_by="test_a_file_that_was_written_just_now_is_not_remembered_without_a_wait",
    ),
    Mutant(
        name="overwrite unsaved work",
        module="workspace/checkout.py",
        old="for path, oid in questionable if oid in missing",
        new="for path, oid in questionable if False",
        caught_by="test_unsaved_work_stops_checkout_and_is_kept",
    ),
    Mutant(
        name="delete what nobody recorded",
        module="workspace/checkout.py",
        old="elif now is not None and same(now, base):",
        new="elif now is not None:",
        caught_by="test_files_that_nobody_recorded_stay",
    ),
    Mutant(
        name="drop what was never fetched",
        module="operations/record.py",
        old="if base.here != base.version:",
        new="if False:",
        caught_by="test_what_was_never_fetched_is_not_dropped_by_add",
    ),
    Mutant(
        name="take what is older here for an edit",
        module="workspace/save.py",
        old="yield now, new if same(now, gone) else now",
        new="yield now, now if now is not None else new",
        caught_by="test_what_nobody_touched_stays_as_the_newest_version_has_it",
        tests="tests/operations/test_add_partly_new.py",
    ),
    Mutant(
        name="take another project's push for a proof",
        module="remote/state.py",
        old="if record.project == project and now - record.time",
        new="if now - record.time",
        caught_by="test_another_projects_push_is_no_proof_for_this_one",
    ),
    Mutant(
        name="publish a root that lacks an object",
        module="remote/sending.py",
        old="self._fail_incomplete()\n",
        new="pass\n",
        caught_by="test_an_artifact_with_a_missing_object_is_not_published",
    ),
    Mutant(
        name="accept a path that escapes",
        module="formats/tree_object.py",
        old="    check_escapes(paths)\n    if SYMLINK",
        new="    if SYMLINK",
        caught_by="test_a_tree_with_a_path_that_escapes_is_refused",
    ),
    Mutant(
        name="accept a tree out of order",
        module="formats/tree_object.py",
        old="if not (last_key < keys[0] and rising(keys)):",
        new="if False:",
        caught_by="test_a_tree_out_of_order_is_refused",
    ),
    Mutant(
        name="overwrite a name that is taken",
        module="localfs/batch.py",
        old="if not item.replace:",
        new="if False:",
        caught_by="test_a_batch_leaves_a_name_that_is_taken",
    ),
    Mutant(
        name="count a push that was committed too late",
        module="remote/state.py",
        old="return committed - record.checked <= WINDOW",
        new="return True",
        caught_by="test_a_push_that_was_committed_too_late_is_void",
    ),
    Mutant(
        name="look at no code that a stage calls",
        module="stages/reach.py",
        old="        if scan:\n            self._pending.append(found)",
        new="        if False:\n            self._pending.append(found)",
        caught_by="test_what_it_reaches_runs_it_again",
        tests=KEYS,
    ),
    Mutant(
        name="believe that names still mean what they did",
        module="stages/live.py",
        old="return self._meanings.still_hold()",
        new="return True",
        caught_by="test_a_value_that_was_changed_counts",
        tests=KEYS,
    ),
    Mutant(
        name="leave the format out of the fingerprint",
        module="operations/stage/known.py",
        old="yield word_fact(FactKind.FORMAT,",
        new="word_fact(FactKind.FORMAT,",
        caught_by="test_two_formats_of_one_stage_never_answer_for_each_other",
        tests=KEYS,
    ),
    Mutant(
        name="unpickle what anybody has made",
        module="operations/stage/results.py",
        old="and not is_ours(",
        new="and is_ours is None and not is_ours(",
        caught_by="test_a_record_that_somebody_else_made_runs_no_code",
        tests=RESULTS,
    ),
    Mutant(
        name="keep what was made of an input that changed meanwhile",
        module="operations/stage/chain.py",
        old="if not self._is_steady(known):",
        new="if False:",
        caught_by="test_an_input_that_changes_while_the_stage_runs_is_read_again",
        tests=ARGUMENTS,
    ),
    Mutant(
        name="take a block for unchanged whatever was read before it",
        module="operations/runs/search.py",
        old="[*noted, *known.record.around, ",
        new="[*noted, ",
        caught_by="test_what_was_read_before_a_block_counts_for_what_it_makes",
        tests="tests/api/test_run_around.py",
    ),
    Mutant(
        name="bring back what another worker of the program made",
        module="operations/runs/search.py",
        old="return set(outputs) <= {file.path for file in known.record.outputs}",
        new="return True",
        caught_by="test_what_the_parent_read_counts_for_a_worker_and_a_program_is_run_once",
        tests="tests/api/test_run_around.py",
    ),
    Mutant(
        name="count what the file says for what was loaded before",
        module="stages/loaded.py",
        old="if note is None or _stamp(real) == note.stamp:",
        new="if note is not None:",
        caught_by="test_an_edit_of_what_a_stage_reaches_is_refused",
        tests="tests/api/test_stage_loaded.py",
    ),
    Mutant(
        name="delete what was thrown away just now",
        module="cache/gc.py",
        old="elif thrown.mtime_ns < before:",
        new="elif True:",
        caught_by="test_what_nobody_needs_is_deleted_only_after_a_day_in_the_trash",
    ),
    Mutant(
        name="delete without asking again who needs it",
        module="cache/gc.py",
        old="        if wanted:\n",
        new="        if False:\n",
        caught_by="test_what_a_pointer_names_by_now_is_not_deleted_but_brought_back",
    ),
    Mutant(
        name="forget what git can bring back",
        module="git/reachable.py",
        old='"--all", "--reflog", "--stdin"',
        new='"--all", "--stdin"',
        caught_by="test_what_git_can_bring_back_survives_gc",
    ),
]


def apply(mutant: Mutant, package: Path) -> None:
    target = package / mutant.module
    text = target.read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1, f"{mutant.module} no longer says this exactly once: {mutant.old}"
    target.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_the_mutant_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    copy = tmp_path / "mutated"
    # What is compiled serves the copy, too, but for the mutant's module and what is being compiled just now.
    shutil.copytree(PACKAGE, copy / "datatool", ignore=shutil.ignore_patterns("*.pyc.*"))
    apply(mutant, copy / "datatool")
    words = [
        sys.executable,
        "-P",
        "-m",
        "pytest",
        "-x",
        "-q",
        "-n0",
        "-p",
        "no:cacheprovider",
        mutant.tests,
        "-k",
        mutant.caught_by,
    ]
    done = subprocess.run(
        [*words, f"--basetemp={tmp_path / 'basetemp'}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "ImportError" not in done.stdout, done.stdout[-2000:]
    assert done.returncode == 1, (
        f"the mutant lived, or the test could not run\n{done.stdout[-2000:]}{done.stderr[-500:]}"
    )
