"""All that determines a result of a stage, fact by fact: one list for the fingerprint and for the explanation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from reprlib import Repr

from datatool.formats.run_record import canonical
from datatool.hashing import digest
from datatool.model.stage import Fact, FactKind
from datatool.stages.live import Ingredient, Ingredients
from datatool.stages.loose_modules import loose_code
from datatool.stages.packages import package_version
from datatool.stages.secrets import HIDDEN, hides, without_secrets
from datatool.stages.syntax import lines_of

_RULES = 2
"""Goes into every fingerprint; the number changes if what counts ever does, so that nothing from before answers."""
_OURS = "datatool"
_FEW = 32
"""Hex digits of a hash that stands where a version does."""
_SHOWN = 80
"""Characters of a value that are kept for people."""
_BY_VALUE = (FactKind.VALUE, FactKind.CLOSURE, FactKind.DEFAULT)
_short = Repr()
_short.maxstring = _short.maxother = _short.maxlong = _SHOWN
SECRET = "0" * 64
"""In a record, the hash of a secret: the real one would let anybody try what it may be."""


def stage_fingerprint(name: str, facts: Iterable[Fact]) -> str:
    """The name of a result: the hash of all that determines it."""
    listed = sorted([fact.kind.value, fact.name, fact.digest] for fact in facts)
    return str(digest(canonical({"v": _RULES, "kind": "stage", "name": name, "facts": listed})))


def code_facts(found: Ingredients, packages: Sequence[str] = ()) -> list[Fact]:
    """What the code of a stage says, with the versions of the packages that it uses, and of some that it names."""
    facts = [_of_code(item) for item in found.items]
    tops = {name.partition(".")[0] for name in (*found.packages, *packages)} - {_OURS}
    return facts + [package_fact(top) for top in sorted(tops)]


def package_fact(top: str) -> Fact:
    """An installed package by its version; a module of nobody by its files, and what has none by nothing."""
    found = package_version(top) or loose_code(top)[:_FEW]
    return Fact(kind=FactKind.PACKAGE, name=top, digest=_hash(found), shown=found)


@lru_cache(1024)
def word_fact(kind: FactKind, name: str, word: str) -> Fact:
    """Something that counts by a word, as a declared version."""
    return Fact(kind=kind, name=name, digest=_hash(word), shown=shown(name, word))


def with_lines(facts: Iterable[Fact], found: Ingredients) -> Iterator[Fact]:
    """Facts as they are kept: of code with its lines, of secrets without what would tell them."""
    codes = {item.name: item.code for item in found.items if item.code is not None}
    for fact in facts:
        code = codes.get(fact.name) if fact.kind in (FactKind.FUNCTION, FactKind.CLASS, FactKind.CONSTANT) else None
        secret = HIDDEN in fact.shown and fact.kind in (*_BY_VALUE, FactKind.ARGUMENT)
        yield Fact(
            kind=fact.kind,
            name=fact.name,
            digest=SECRET if secret else fact.digest,
            shown=fact.shown,
            where=fact.where,
            lines=tuple(short for short, _ in lines_of(code.nodes, without=code.without))
            if code is not None
            else fact.lines,
        )


def shown(name: str, value: object) -> str:
    """A value in short, and nothing of a secret.

    >>> shown("rate", 0.5), shown("api_key", "abc")
    ('0.5', '***')
    """
    if hides(_last(name), value):
        return HIDDEN
    text = without_secrets(value if isinstance(value, str) else _short.repr(value))
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _of_code(item: Ingredient) -> Fact:
    kind = FactKind(item.kind)
    text = shown(item.name, item.value) if kind in _BY_VALUE else str(item.value) if kind is FactKind.IMPORT else ""
    return Fact(kind=kind, name=item.name, digest=item.digest, where=item.where, shown=text)


def _last(name: str) -> str:
    """The name that says what it is: of `pipe:make[key]` or `pipe:load(key)` the one in brackets."""
    return name.rstrip("])").replace("[", ".").replace("(", ".").replace(":", ".").rpartition(".")[2]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
