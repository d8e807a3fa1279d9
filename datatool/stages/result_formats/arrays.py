"""numpy's arrays and dicts of arrays, as .npy and .npz. A single number of numpy's is kept as an array of no dimension.

Nothing is ever pickled: arrays of Python objects are refused on both ways. What a file claims to hold is compared with
its size before anything is made of it.
"""

from __future__ import annotations

import math
import sys
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from datatool.stages.result_formats.codec import CannotHold, Codec
from datatool.stages.result_formats.libraries import is_array_scalar, load

if TYPE_CHECKING:
    import numpy

_NO_PICKLE: Final = "use format='pickle', which stays on this machine, or make an array of numbers or text"
_MEMBER: Final = ".npy"
_MAX_HEADER: Final = 9000
"""numpy refuses to read headers that are much longer."""
_MAX_NAME: Final = 65_000
"""Bytes; a ZIP archive has no longer names."""


def _check_array(value: object) -> None:
    if is_array_scalar(value):
        _check_dtype(cast("numpy.generic", value).dtype)
        return
    if type(value) is not load("numpy").ndarray:
        raise CannotHold("it holds one numpy array, or a number of numpy's")
    array = cast("numpy.ndarray", value)
    if not array.ndim:
        raise CannotHold("an array without dimensions would come back as a number", "return array[()]")
    _check_dtype(array.dtype)


def _check_dtype(dtype: numpy.dtype) -> None:
    if dtype.hasobject or not dtype.itemsize:
        raise CannotHold(f"an array of {dtype} has no bytes of its own", _NO_PICKLE)
    if dtype.metadata or not _header_holds(dtype):
        raise CannotHold(f"it would change the dtype {str(dtype)[:80]}", _NO_PICKLE)


def _header_holds(dtype: numpy.dtype) -> bool:
    """Whether the first version of the format's header has room for all of it; later ones are read by no reader that
    is as careful."""
    shapes = load("numpy").lib.format
    try:
        described = shapes.dtype_to_descr(dtype)
        size = len(repr(described).encode("latin-1"))
        return size <= _MAX_HEADER and bool(shapes.descr_to_dtype(described) == dtype)
    except (ValueError, TypeError):
        return False


def _write_array(value: object, file: BinaryIO) -> None:
    numpy = load("numpy")
    numpy.lib.format.write_array(file, numpy.asarray(value), allow_pickle=False)


def _read_array(file: BinaryIO) -> object:
    start = file.tell()
    size = file.seek(0, 2) - start
    file.seek(start)
    array = _array(file, size)
    return array if array.ndim else array[()]


def _array(file: BinaryIO, size: int) -> numpy.ndarray:
    """The array in a file of that size, of which it must fill every byte."""
    np = load("numpy")
    start = file.tell()
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("a version of the format that is never written")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject or not dtype.itemsize:
        raise ValueError(f"an array of {dtype}")
    if any(length < 0 for length in shape) or math.prod(shape) * dtype.itemsize != size - (file.tell() - start):
        raise ValueError(f"the file is not as long as an array of {shape} {dtype}")
    file.seek(start)
    array: numpy.ndarray = np.lib.format.read_array(file, allow_pickle=False)
    if dtype.kind == "U" and array.size:
        letters = array.ravel(order="K").view(np.dtype("u4").newbyteorder(dtype.byteorder))
        if letters.max() > sys.maxunicode:
            raise ValueError("a text that is no Unicode")
    return array


def _check_arrays(value: object) -> None:
    array = load("numpy").ndarray
    if type(value) is not dict or any(type(name) is not str for name in value):
        raise CannotHold("it holds a dict of numpy arrays, named by text")
    for name, item in value.items():
        if type(item) is not array:
            raise CannotHold(f"{name!r} is no numpy array")
        _check_dtype(item.dtype)
        _check_name(name)


def _check_name(name: str) -> None:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        size = _MAX_NAME + 1
    if size > _MAX_NAME or "\0" in name or "\\" in name:
        raise CannotHold(f"an archive has no member with the name {name[:40]!r}", "use short names without \\")


def _write_arrays(value: object, file: BinaryIO) -> None:
    shapes = load("numpy").lib.format
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in cast("Mapping[str, numpy.ndarray]", value).items():
            member = zipfile.ZipInfo(name + _MEMBER)  # dated 1980, so that equal arrays are equal bytes
            with archive.open(member, "w", force_zip64=True) as inner:
                shapes.write_array(cast(BinaryIO, inner), array, allow_pickle=False)


def _read_arrays(file: BinaryIO) -> object:
    size = file.seek(0, 2)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("a compressed member, which is never written")
        if sum(member.file_size for member in members) > size:
            raise ValueError("the members are longer than the file")
        if len({member.filename for member in members}) != len(members):
            raise ValueError("two members of one name")
        return {_array_name(member): _member(archive, member) for member in members}


def _array_name(member: zipfile.ZipInfo) -> str:
    if not member.filename.endswith(_MEMBER):
        raise ValueError(f"the member {member.filename!r} is no array")
    return member.filename[: -len(_MEMBER)]


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> numpy.ndarray:
    with archive.open(member) as inner:
        array = _array(cast(BinaryIO, inner), member.file_size)
        if inner.read(1):
            raise ValueError(f"more than an array in {member.filename!r}")
    return array


NPY: Final = Codec(check=_check_array, write=_write_array, read=_read_array)
NPZ: Final = Codec(check=_check_arrays, write=_write_arrays, read=_read_arrays)
