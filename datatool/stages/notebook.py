"""The code cells of a Jupyter notebook as Python, without what only IPython understands."""

from __future__ import annotations

import json
import re

from msgspec import Struct

from datatool.hashing import digest
from datatool.model.oid import ObjectId

_MAGIC = re.compile(r"^(?P<indent>[ \t]*)(?:\w[\w.,\[\] ]*=[ \t]*)?(?:[%!]|\?{1,2}\w|\w[\w.]*\?{1,2}\s*$)")
"""A line for IPython: `%magic`, `!command`, either assigned to a name, `?help` or `help?`."""

_TRANSPARENT = frozenset({"%%time", "%%timeit", "%%capture", "%%prun"})
"""Cell magics whose cell is ordinary Python; under any other the cell is something else (`%%bash`, `%%html`)."""


class NotANotebook(ValueError):
    """A file that is no notebook with Python in it; the message is the end of a sentence about the file."""


class Cell(Struct, frozen=True):
    """One code cell. `readings` are the texts that may be its Python, to be tried in order: as it is, and without
    lines for IPython, as a line that begins with `%` may also go on with a division's remainder. `digest` is that of
    its text without the space around it, by which it is known again in the record of a kernel that knew no file."""

    readings: tuple[str, ...]
    lines: int
    digest: ObjectId


def code_cells(data: bytes) -> list[Cell]:
    """The code cells of a notebook (format 4), in order. Raises NotANotebook."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotANotebook(f"is no notebook: {error}") from error
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list):
        raise NotANotebook("is no notebook of format 4: it has no cells")
    language = _language(document)
    if language != "python":
        raise NotANotebook(f"is a notebook in {language}, not in Python")
    found = [_source(cell) for cell in cells if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    return [Cell(readings(text), text.count("\n") + 1, _digest(text)) for text in found]


def _digest(text: str) -> ObjectId:
    return digest(text.strip().encode("utf-8", "surrogatepass"))


def _language(document: dict[str, object]) -> str:
    metadata = document.get("metadata")
    if isinstance(metadata, dict):
        for section, key in (("language_info", "name"), ("kernelspec", "language")):
            part = metadata.get(section)
            name = part.get(key) if isinstance(part, dict) else None
            if isinstance(name, str):
                return name.lower()
    return "python"


def _source(cell: dict[str, object]) -> str:
    source = cell.get("source", "")
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def readings(text: str) -> tuple[str, ...]:
    """The texts that may be the Python of a cell, to be tried in order."""
    first, _, rest = text.lstrip().partition("\n")
    if first.startswith("%%"):
        if first.split()[0] not in _TRANSPARENT:
            return ("",)
        text = text[: len(text) - len(text.lstrip())] + "\n" + rest
    lines = [f"{match['indent']}pass" if (match := _MAGIC.match(line)) else line for line in text.split("\n")]
    return (text, "\n".join(lines))
