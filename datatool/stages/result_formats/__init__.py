"""A function's result as bytes, and back: what is read is equal to what was written, and reading runs no code."""

from datatool.stages.result_formats.choice import (
    encoding_of,
    read_result,
    why_no_format,
    write_result,
)
from datatool.stages.result_formats.pickled import read_pickle

__all__ = [
    "encoding_of",
    "read_pickle",
    "read_result",
    "why_no_format",
    "write_result",
]
