"""Arrow's tables as Parquet and as Arrow files.

A schema may name extension types, and a type that this process knows is made while the schema is read, by code of that
type: pyarrow's old `arrow.py_extension_type` unpickled what it was given. So the names are looked at first, in a copy
of the file's footer in which the key that would call them is misspelt.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, Final

from datatool.model.result import ResultFormat
from datatool.stages.result_formats.libraries import load

if TYPE_CHECKING:
    import pyarrow as pa

ROWS: Final = 1 << 20
"""Rows in one piece of a file. A file with larger pieces is not ours: a few bytes could claim any number of rows."""
_HARMLESS: Final = frozenset(
    {
        *(b"arrow.bool8", b"arrow.fixed_shape_tensor", b"arrow.json", b"arrow.opaque", b"arrow.uuid"),
        *(b"pandas.interval", b"pandas.period"),
    }
)
"""The extension types whose makers only read a number or a name."""
_EXTENSION: Final = b"ARROW:extension:name"
_EXTENSION_MISSPELT: Final = b"ARROW:extension:NAME"
_SCHEMA: Final = b"ARROW:schema"
_SCHEMA_MISSPELT: Final = b"ARROW:SCHEMA"
_MAGIC: Final = MappingProxyType({ResultFormat.PARQUET: b"PAR1", ResultFormat.ARROW: b"ARROW1"})


def write_table(table: pa.Table, file: BinaryIO, form: ResultFormat) -> None:
    """The table's bytes, which are the same for tables that differ in their chunks only."""
    if form is ResultFormat.PARQUET:
        load("pyarrow.parquet").write_table(
            table, file, compression="zstd", row_group_size=ROWS, use_compliant_nested_type=False
        )
        return
    whole = table.combine_chunks().unify_dictionaries()
    with load("pyarrow").ipc.new_file(file, whole.schema) as writer:
        writer.write_table(whole, max_chunksize=ROWS)


def read_table(file: BinaryIO, form: ResultFormat) -> pa.Table:
    """The table in a file from anywhere. Raises whatever pyarrow does for bytes that are none, and ValueError."""
    arrow = load("pyarrow")
    data = file.read()
    if form is ResultFormat.PARQUET:
        _look_at_parquet(data)
        table = load("pyarrow.parquet").ParquetFile(arrow.BufferReader(data)).read()
    else:
        _look_at_arrow(data)
        table = _read_batches(data)
    str(table.schema)  # names that are no Unicode fail here, not in the caller's hands
    table.validate(full=True)  # an offset outside its buffer would be read as memory of this process
    return table


def footer_of(data: bytes, form: ResultFormat) -> bytes:
    """What describes the file: it stands before its own length and the magic bytes at the end. Raises ValueError."""
    magic = _MAGIC[form]
    end = len(data) - len(magic) - 4
    if end < len(magic) or not data.startswith(magic) or not data.endswith(magic):
        raise ValueError(f"no {form} file")
    size = int.from_bytes(data[end : end + 4], "little")
    if not 0 < size <= end - len(magic):
        raise ValueError("the footer is longer than the file")
    footer = data[end - size : end]
    if form is ResultFormat.PARQUET and footer.count(_SCHEMA) > 1:
        raise ValueError("two schemas")
    return footer


def _read_batches(data: bytes) -> pa.Table:
    arrow = load("pyarrow")
    with arrow.ipc.open_file(arrow.BufferReader(data)) as reader:
        batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
        if any(batch.num_rows > ROWS for batch in batches):
            raise ValueError("more rows in a batch than are ever written")
        table: pa.Table = arrow.Table.from_batches(batches, schema=reader.schema)
    return table


def _look_at_parquet(data: bytes) -> None:
    footer = footer_of(data, ResultFormat.PARQUET)
    if _SCHEMA_MISSPELT in footer:
        raise ValueError("a name that is never written")
    quiet = _MAGIC[ResultFormat.PARQUET] + footer.replace(_SCHEMA, _SCHEMA_MISSPELT) + data[-8:]
    metadata = load("pyarrow.parquet").read_metadata(load("pyarrow").BufferReader(quiet))
    if any(metadata.row_group(number).num_rows > ROWS for number in range(metadata.num_row_groups)):
        raise ValueError("more rows in a group than are ever written")
    text = (metadata.metadata or {}).get(_SCHEMA_MISSPELT)
    if text is not None:
        schema = base64.b64decode(text, validate=True)
        arrow = load("pyarrow")
        _require_harmless(schema, arrow.ipc.read_schema(arrow.BufferReader(_misspelt(schema))))


def _look_at_arrow(data: bytes) -> None:
    footer = footer_of(data, ResultFormat.ARROW)
    quiet = _MAGIC[ResultFormat.ARROW] + b"\0\0" + _misspelt(footer) + data[-10:]
    arrow = load("pyarrow")
    with arrow.ipc.open_file(arrow.BufferReader(quiet)) as reader:
        _require_harmless(footer, reader.schema)


def _misspelt(schema: bytes) -> bytes:
    if _EXTENSION_MISSPELT in schema:
        raise ValueError("a name that is never written")
    return schema.replace(_EXTENSION, _EXTENSION_MISSPELT)


def _require_harmless(schema: bytes, misspelt: pa.Schema) -> None:
    """Each extension type that the bytes name is one that the misspelt schema shows, and is known to be harmless."""
    fields = [inner for field in misspelt for inner in _with_children(field)]
    names = [field.metadata[_EXTENSION_MISSPELT] for field in fields if _EXTENSION_MISSPELT in (field.metadata or {})]
    if len(names) != schema.count(_EXTENSION):
        raise ValueError("an extension type in a hidden place")
    for name in names:
        if name not in _HARMLESS:
            raise ValueError(f"the extension type {name[:80]!r} is not accepted, as reading one can run code")


def _with_children(field: pa.Field) -> Iterator[pa.Field]:
    yield field
    kind = field.type
    while load("pyarrow").types.is_dictionary(kind):
        kind = kind.value_type
    for number in range(kind.num_fields):
        yield from _with_children(kind.field(number))
