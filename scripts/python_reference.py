"""Write docs/reference/python_api.md from the docstrings of what `import datatool` offers.

scripts/python_reference            write it
scripts/python_reference --check    exit with 1 when what is there is stale
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import datatool
import datatool.dask
from datatool import errors
from datatool.api import addresses
from datatool.api.filesystem import DatatoolFileSystem

REFERENCE = Path(__file__).parent.parent / "docs" / "reference" / "python_api.md"

INTRODUCTION = """# Python

<!-- Written by scripts/python_reference from the docstrings; edit those. -->

`import datatool` costs a few milliseconds; what a name needs is loaded when it is first used. Nothing is printed: what
there is to say goes to the logger `datatool`. Everything works in threads, in running event loops and after a fork. How
to use it: [Track data in scripts](../how_to/track_in_scripts.md), [Remember results of
functions](../how_to/remember_results.md), [Read data from Python](../how_to/read_from_python.md), [Use datatool from
Python](../how_to/use_from_python.md).

Results of operations are frozen dataclasses; `result.to_dict()` gives what the command prints with `--json`, but for
`schema` and `command`, as [JSON results](exit_codes_and_json.md) and the [schemas](schemas) say.
"""


def main(words: list[str]) -> int:
    """Write or check; the exit code."""
    text = reference()
    if words == ["--check"]:
        if REFERENCE.exists() and REFERENCE.read_text(encoding="utf-8") == text:
            return 0
        print(f"{REFERENCE} is stale: run scripts/python_reference", file=sys.stderr)
        return 1
    REFERENCE.parent.mkdir(parents=True, exist_ok=True)
    REFERENCE.write_text(text, encoding="utf-8")
    return 0


def reference() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *_functions(), *_values(), *_urls(), *_errors()]).rstrip() + "\n"


def public() -> dict[str, object]:
    """What `import datatool` offers, by name, without errors and version."""
    names = [name for name in datatool.__all__ if not name.startswith("__") and not hasattr(errors, name)]
    return {name: getattr(datatool, name) for name in names}


def _functions() -> Iterator[str]:
    yield "## Functions\n"
    for name, value in public().items():
        if inspect.isfunction(value):
            yield from _function(f"datatool.{name}", value)
    yield from _function("datatool.dask.run", datatool.dask.run)


def _function(name: str, value: object) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"```text\n{name}{_signature(value)}\n```\n"
    yield _prose(value) + "\n"


def _values() -> Iterator[str]:
    yield "## Values\n"
    for name, value in public().items():
        if inspect.isclass(value):
            yield f"### datatool.{name}\n"
            yield _prose(value) + "\n"
            yield "\n".join(_members(value)) + "\n"


def _members(kind: type) -> Iterator[str]:
    """The fields of a value; of anything else its methods."""
    if dataclasses.is_dataclass(kind):
        yield from (f"* `{field.name}`: `{field.type}`" for field in dataclasses.fields(kind))
        return
    for name, method in vars(kind).items():
        if inspect.isfunction(method) and not name.startswith("_"):
            said = _prose(method).replace("\n", "\n  ")
            yield f"* `{name}{_signature(method)}`: {said}".replace("(self, ", "(").replace("(self)", "()")


def _urls() -> Iterator[str]:
    yield "## datatool://\n"
    yield _prose(addresses) + "\n"
    yield _prose(DatatoolFileSystem) + "\n"
    for name in ("ls", "info", "find", "walk", "exists", "modified", "ukey", "cat", "get", "sign", "invalidate_cache"):
        yield f"* `{name}`: {_prose(getattr(DatatoolFileSystem, name))}".replace("\n", "\n  ")
    yield ""


def _errors() -> Iterator[str]:
    yield "## Errors\n"
    yield _prose(errors) + "\n"


def _signature(function: object) -> str:
    """Names and defaults, without annotations."""
    found = inspect.signature(function)  # type: ignore[arg-type]
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in found.parameters.values()]
    text = str(found.replace(parameters=plain, return_annotation=inspect.Signature.empty)).replace("'", '"')
    return f"{text} -> {found.return_annotation}".replace("builtins.", "")


def _prose(thing: object | ModuleType) -> str:
    """A docstring as Markdown: examples and drawings in fences."""
    lines = (inspect.getdoc(thing) or "").splitlines()
    out: list[str] = []
    fence = ""
    for line in [*lines, ""]:
        kind = "pycon" if line.startswith((">>>", "...")) else "text" if line.startswith("    ") else fence
        if not line.strip():
            kind = ""
        if fence == "text" and not line.startswith("    "):
            kind = ""
        if kind != fence:
            if fence:
                out.append("```")
            if kind:
                out.append(f"```{kind}")
            fence = kind
        out.append(line.removeprefix("    ") if fence == "text" else line)
    return "\n".join(out).strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
