"""Results written and read back, for the tests of their formats."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import BinaryIO

from datatool.model.result import Encoding, ResultFormat
from datatool.stages.result_formats import encoding_of, read_pickle, read_result, write_result


def written(value: object, encoding: Encoding) -> bytes:
    file = io.BytesIO()
    write_result(value, encoding, file)
    assert not file.closed, "the file is the caller's"
    return file.getvalue()


def read(data: bytes, encoding: Encoding) -> object:
    """The value in these bytes; a pickle too, as the tests wrote it themselves."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / f"result{encoding.suffix}"
        path.write_bytes(data)
        with path.open("rb") as file:
            return _read(file, encoding)


def there_and_back(value: object, declared: ResultFormat | None = None) -> tuple[Encoding, object]:
    """How the value was kept, and the value read back; and equal values were equal bytes, but for what lies in an Arrow
    file where a value is missing."""
    encoding = encoding_of(value, declared)
    data = written(value, encoding)
    back = read(data, encoding)
    if encoding.format is not ResultFormat.PICKLE:
        assert written(value, encoding) == data
        assert encoding_of(back, declared) == encoding
        if encoding.format not in (ResultFormat.CSV, ResultFormat.ARROW):
            assert written(back, encoding) == data
    return encoding, back


def _read(file: BinaryIO, encoding: Encoding) -> object:
    if encoding.format is ResultFormat.PICKLE:
        return read_pickle(file, name="result")
    return read_result(file, encoding, name="result")
