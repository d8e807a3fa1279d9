"""What is known of a call of a stage: all that counts, for the name of its result and for telling what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from datatool.errors import UsageError
from datatool.model.stage import Fact, FactKind
from datatool.operations.stage.call import Described, describe, with_code
from datatool.operations.stage.definition import StageDefinition
from datatool.operations.stage.files import Input, Tracking
from datatool.operations.stage.home import Home
from datatool.operations.stage.plan import Call
from datatool.stages.live import Ingredients
from datatool.stages.packages import is_installed
from datatool.stages.stage_facts import code_facts, stage_fingerprint, with_lines, word_fact


class Known(Struct, frozen=True, kw_only=True):
    """What is known of a call: all that counts, the name of its result, and where the facts come from."""

    facts: tuple[Fact, ...]
    fingerprint: str
    described: Described
    code: Ingredients

    @property
    def kept_facts(self) -> tuple[Fact, ...]:
        """The facts as a record has them."""
        return tuple(with_lines(self.facts, self.code))


def known_call(
    call: Call,
    *,
    root: Path,
    home: Home,
    results: Mapping[StageDefinition, tuple[str, str]],
    tracking: Tracking,
    inputs: Mapping[str, Input] | None = None,
) -> Known:
    """Look at everything that counts for a call; `results` is what the stages that it needs count by, `inputs` are
    files that somebody else has found. Raises UsageError for what can't be counted, PathNotFound for a `File` that is
    nowhere."""
    for name in call.stage.options.packages:
        if not is_installed(name.partition(".")[0]):
            raise UsageError(
                f"stage {call.stage.label}: packages: {name} is not installed",
                hint="the name under which it is imported, or that of its package",
            )
    code = call.stage.code(root, home.start)
    described = describe(call.arguments.arguments, home, results, tracking, inputs)
    own = code_facts(code, call.stage.options.packages)
    facts = {fact.key: fact for fact in with_code(own, described.facts, "its arguments")}
    for fact in _declared(call.stage):
        facts[fact.key] = fact
    return Known(
        facts=tuple(facts.values()),
        fingerprint=stage_fingerprint(code.name, facts.values()),
        described=described,
        code=code,
    )


def _declared(stage: StageDefinition) -> Iterator[Fact]:
    options = stage.options
    if options.version is not None:
        yield word_fact(FactKind.VERSION, "version", options.version)
    yield word_fact(FactKind.FORMAT, "format", options.format.value if options.format is not None else "by type")
