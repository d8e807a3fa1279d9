"""The S3 service that a profile of the AWS tools names, read from their files as they read them."""

from __future__ import annotations

import configparser
import shlex
from collections.abc import Mapping

_Sections = Mapping[str, Mapping[str, str]]


def endpoint_of(profile: str | None, config: str, credentials: str) -> str | None:
    """The `endpoint_url` for S3 of a profile, the default one if None; `config` and `credentials` are what stands in
    the two files. None too for files that nobody can read: the AWS library says what is wrong with them.

    >>> endpoint_of("lab", "[profile lab]\\nendpoint_url = http://lab:9000\\n", "")
    'http://lab:9000'
    """
    profiles: dict[str, dict[str, str]] = {}
    services: dict[str, Mapping[str, str]] = {}
    try:
        for section, values in _sections(config).items():
            kind, name = _named(section)
            if kind == "services":
                services[name] = values
            elif kind == "profile":
                profiles[name] = dict(values)
        for section, values in _sections(credentials).items():
            profiles.setdefault(section, {}).update(values)
    except (configparser.Error, ValueError):
        return None
    found = profiles.get(profile or "default", {})
    if found.get("ignore_configured_endpoint_urls", "").lower() == "true":
        return None
    own = _nested(services.get(found.get("services", ""), {}).get("s3", ""))
    return own.get("endpoint_url") or found.get("endpoint_url") or None


def _sections(text: str) -> _Sections:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return {name: dict(parser.items(name)) for name in parser.sections()}


def _named(section: str) -> tuple[str, str]:
    if section == "default":
        return "profile", section
    words = shlex.split(section)
    return (words[0], words[1]) if len(words) == 2 else ("", "")


def _nested(block: str) -> dict[str, str]:
    """What is indented below a key."""
    rows = (line.partition("=") for line in block.splitlines())
    return {key.strip(): value.strip() for key, _, value in rows}
