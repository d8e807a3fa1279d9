"""DVC's pipelines, as far as their outputs are data: `dvc.yaml` says what is kept, `dvc.lock` which version.

A lock names all outputs, those that git keeps (`cache: false`) too; which those are stands in `dvc.yaml` only, perhaps
as a template (`models/${item}.pkl`). In a stage of many (`foreach`, `matrix`) the lock's names are `name@item`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from datatool.formats.dvc_file import DvcOut, Node, parse_out, read_dvc_yaml
from datatool.formats.plain_yaml import Value

PARAMETERS: Final = "params.yaml"
"""Beside a `dvc.yaml`, what templates are filled from."""

_TEMPLATE: Final = re.compile(r"\$\{\s*([^}]*?)\s*\}")


class Declared(Struct, frozen=True, kw_only=True):
    """One output of a stage as `dvc.yaml` has it; `path` may be a template."""

    path: str
    cached: bool
    remote: str | None


class Stage(Struct, frozen=True, kw_only=True):
    """A stage's outputs, and the directory that their paths start from (which may be a template)."""

    wdir: str
    outs: tuple[Declared, ...]


class Pipeline(Struct, frozen=True, kw_only=True):
    """A `dvc.yaml`: its stages, and the values of its own that templates may name."""

    stages: Mapping[str, Stage]
    variables: Mapping[str, str] = field(default_factory=dict)


class LockedOut(Struct, frozen=True, kw_only=True):
    """An output of a lock, its path relative to the lock's directory; `unknown` is a directory that is a template which
    can't be filled in, and then the path is not known."""

    out: DvcOut
    unknown: str | None = None


def parse_pipeline(data: bytes, *, name: str) -> Pipeline:
    """Read a `dvc.yaml`. Raises MergeConflict, FormatError."""
    root = Node(read_dvc_yaml(data, name=name), name)
    stages: dict[str, Stage] = {}
    found = root.inner("stages")
    for key in found.values if found is not None else ():
        assert found is not None
        stage = found.inner(key)
        if stage is None:
            continue
        body = stage.inner("do") or stage
        outs = tuple(one for part in ("outs", "metrics", "plots") for one in _declared(body.values.get(part)))
        stages[key] = Stage(wdir=body.text("wdir") or ".", outs=outs)
    variables: dict[str, str] = {}
    own = root.values.get("vars")
    for item in own if isinstance(own, list) else ():
        if isinstance(item, dict):
            variables |= flattened(item)
    return Pipeline(stages=stages, variables=variables)


def parse_parameters(data: bytes, *, name: str) -> dict[str, str]:
    """The values of a `params.yaml` by dotted path. Raises FormatError."""
    return flattened(read_dvc_yaml(data, name=name))


def flattened(values: Mapping[str, Value], at: str = "") -> dict[str, str]:
    """The scalars of a mapping by dotted path.

    >>> flattened({"train": {"dir": "models"}})
    {'train.dir': 'models'}
    """
    found: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= flattened(value, f"{at}{key}.")
        elif isinstance(value, str):
            found[at + key] = value
    return found


def parse_lock(data: bytes, *, name: str) -> dict[str, tuple[DvcOut, ...]]:
    """The outputs in a `dvc.lock` by stage; version 1.0 has them at its top. Raises MergeConflict, FormatError."""
    root = Node(read_dvc_yaml(data, name=name), name)
    stages = root.inner("stages") if "schema" in root.values else root
    found: dict[str, tuple[DvcOut, ...]] = {}
    for key in stages.values if stages is not None else ():
        assert stages is not None
        stage = stages.inner(key)
        if stage is not None:
            outs = (parse_out(node) for node in stage.items("outs"))
            found[key] = tuple(out for out in outs if out is not None)
    return found


def locked_outs(
    lock: Mapping[str, tuple[DvcOut, ...]], pipeline: Pipeline | None, parameters: Mapping[str, str]
) -> Iterator[LockedOut]:
    """The outputs that DVC keeps: those of the lock that the pipeline still declares, and says to be cached.

    Without a pipeline that could be read all of the lock's outputs count, in the lock's own directory.
    """
    for name, outs in lock.items():
        stem, _, item = name.partition("@")
        if pipeline is None:
            yield from (LockedOut(out=out) for out in outs)
            continue
        stage = pipeline.stages.get(stem) or pipeline.stages.get(name)
        if stage is None:
            continue
        values = {**parameters, **pipeline.variables, **({"item": item} if item else {})}
        wdir = _filled(stage.wdir, values)
        for out in outs:
            declared = _declaration(stage, out.path)
            if declared is None or not declared.cached:
                continue
            out = replace(out, remote=declared.remote or out.remote)
            if wdir is None:
                yield LockedOut(out=out, unknown=stage.wdir)
            else:
                yield LockedOut(out=out if wdir == "." else replace(out, path=posixpath.join(wdir, out.path)))


def _declared(entries: Value) -> Iterator[Declared]:
    """Outputs as `dvc.yaml` lists them: a path, or a path with flags. What is neither is none."""
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, str):
            yield Declared(path=entry, cached=True, remote=None)
        elif isinstance(entry, dict):
            for path, flags in entry.items():
                known = flags if isinstance(flags, dict) else {}
                remote = known.get("remote")
                yield Declared(
                    path=path,
                    cached=str(known.get("cache")).lower() != "false",
                    remote=remote if isinstance(remote, str) else None,
                )


def _declaration(stage: Stage, path: str) -> Declared | None:
    """What a stage says of an output: by its name, else by a template that could have made it."""
    exact = [one for one in stage.outs if one.path == path]
    if exact:
        return exact[0]
    normal = posixpath.normpath(path)
    return next((one for one in stage.outs if _pattern(one.path).fullmatch(normal)), None)


def _pattern(template: str) -> re.Pattern[str]:
    parts = _TEMPLATE.split(posixpath.normpath(template))
    return re.compile(".+".join(re.escape(part) for part in parts[::2]), re.DOTALL)


def _filled(template: str, values: Mapping[str, str]) -> str | None:
    """A text with its templates filled in; None where a value is not known."""
    missing = [word for word in _TEMPLATE.findall(template) if word not in values]
    return None if missing else _TEMPLATE.sub(lambda found: values[found[1]], template)
