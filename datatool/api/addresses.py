"""`datatool://REGISTRY@REV/PATH`: how data is named in a URL.

REGISTRY is an alias, a percent-encoded URL or path, or empty for this project; `@REV`, percent-encoded too, may be left
out; PATH starts at the repository's top and is written as it is.

    datatool:///data/table.csv                                     this project, by the pointers of the work tree
    datatool://@v1.0/data/table.csv                                this project at v1.0
    datatool://songs@main/1.ogg                                    the registry that is called songs here
    datatool://https%3A%2F%2Fexample.org%2Fsongs.git@v2/1.ogg      the one at that URL
"""

from __future__ import annotations

from urllib.parse import quote, unquote

from msgspec import Struct

from datatool.errors import UsageError

PROTOCOL = "datatool"


class Address(Struct, frozen=True, kw_only=True):
    """A URL of data, in its parts: `repo` and `rev` are None where they are left out; `path` is relative, `""` the top.

    >>> Address.parse("datatool://songs@v1%2F2/a/b.ogg")
    Address(repo='songs', rev='v1/2', path='a/b.ogg')
    >>> Address.parse("datatool:///data").repo is None
    True
    """

    repo: str | None = None
    rev: str | None = None
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read a URL, with or without its protocol. Raises UsageError for an empty revision, for `..` in the path, and
        for a registry's URL that is not encoded: where it ends can't be told."""
        host, _, path = text.removeprefix(f"{PROTOCOL}://").partition("/")
        if host.endswith(":"):
            raise UsageError(
                f"{PROTOCOL}://{host}/…: the URL of a registry stands here percent-encoded, from its first letter on",
                hint=f"{PROTOCOL}://{quote(host + '//', safe='')}…/PATH, as urllib.parse.quote(URL, safe='') makes it; "
                "or give it a name: datatool registry add NAME URL",
            )
        repo, at, rev = host.partition("@")
        if at and not rev:
            raise UsageError(f"{text}: an empty revision after @", hint="leave @ out for what is current")
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise UsageError(f"{path}: .. has no place in a URL of data", hint="paths start at the repository's top")
        return cls(repo=unquote(repo) or None, rev=unquote(rev) or None, path="/".join(parts))

    @property
    def host(self) -> str:
        """What stands before the path: registry and revision."""
        rev = "" if self.rev is None else "@" + quote(self.rev, safe="")
        return quote(self.repo or "", safe="") + rev

    @property
    def name(self) -> str:
        """The URL without its protocol, which is what fsspec calls the path."""
        return f"{self.host}/{self.path}" if self.path or not self.host else self.host

    def __str__(self) -> str:
        """The URL."""
        return f"{PROTOCOL}://{self.name}"
