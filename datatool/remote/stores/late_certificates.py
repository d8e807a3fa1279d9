"""aiohttp, imported without reading all certificates of this machine twice.

When it is imported, aiohttp makes two TLS contexts with every certificate that the system trusts, which costs 80
milliseconds of processor time. The S3 library brings a context of its own, and many services speak plain HTTP: so the
certificates are read when a context is first used. For everybody in this process it is the same context as ever.

Import this module before anything that imports aiohttp.
"""

from __future__ import annotations

import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from datatool.forks import wait_before_forks

_lock = wait_before_forks(threading.Lock())


class LateContext(ssl.SSLContext):
    """A context that reads its certificates when it is first used."""

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """As that of every context, with the certificates."""
        return _ready(self).wrap_bio(*arguments, **options)

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """As that of every context, with the certificates."""
        return _ready(self).wrap_socket(*arguments, **options)

    def get_ca_certs(self, binary_form: bool = False) -> Any:
        """As that of every context, with the certificates."""
        return _ready(self).get_ca_certs(binary_form)

    def cert_store_stats(self) -> dict[str, int]:
        """As that of every context, with the certificates."""
        return _ready(self).cert_store_stats()


def _ready(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same context, an ordinary one from now on."""
    with _lock:
        if isinstance(context, LateContext):
            context.__class__ = ssl.SSLContext  # type: ignore[assignment]
            context.load_default_certs()
    return context


@contextmanager
def _waiting() -> Iterator[None]:
    """Contexts that this thread makes meanwhile wait with their certificates."""
    thread = threading.get_ident()
    load, set_paths = ssl.SSLContext.load_default_certs, ssl.SSLContext.set_default_verify_paths
    made: list[ssl.SSLContext] = []

    def later(self: ssl.SSLContext, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        if threading.get_ident() != thread or purpose is not ssl.Purpose.SERVER_AUTH:
            load(self, purpose)
        else:
            made.append(self)

    def paths_later(self: ssl.SSLContext) -> None:
        if threading.get_ident() != thread:
            set_paths(self)
        else:
            made.append(self)

    ssl.SSLContext.load_default_certs = later  # type: ignore[method-assign]
    ssl.SSLContext.set_default_verify_paths = paths_later  # type: ignore[method-assign]
    try:
        yield
    finally:
        ssl.SSLContext.load_default_certs = load  # type: ignore[method-assign]
        del ssl.SSLContext.set_default_verify_paths  # it is inherited
        for context in made:
            if type(context) is ssl.SSLContext:
                context.__class__ = LateContext


if "aiohttp" not in sys.modules:
    with _waiting():
        import_module("aiohttp")
