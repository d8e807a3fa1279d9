"""URLs as messages and lists show them."""

from __future__ import annotations

import re
from typing import Final

_PASSWORD: Final = re.compile(r"(?<=://)([^/?#@:]*):[^/?#]*@")
_QUERY: Final = re.compile(r"\?[^#]*")


def without_secrets(url: str) -> str:
    """A URL without a password and without its query, which may hold a signature; a path as it is.

    >>> without_secrets("https://me:secret@host/data?sig=secret")
    'https://me:…@host/data?…'
    """
    if "://" not in url:
        return url
    return _QUERY.sub("?…", _PASSWORD.sub(r"\1:…@", url))
