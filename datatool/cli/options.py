"""Arguments and options that several commands take, so that they are spelled and explained alike."""

from __future__ import annotations

from typing import Annotated

from datatool.cli.declare import Argument, BadValue, Option
from datatool.errors import UsageError


def _not_empty(value: str | None) -> str | None:
    if value == "":
        raise BadValue("it is empty")
    return value


def _positive(value: int | None) -> int | None:
    if value is not None and value < 1:
        raise BadValue("it must be 1 or more")
    return value


Targets = Annotated[
    list[str],
    Argument(metavar="PATH…", help="Artifacts, pointers, paths inside artifacts, or directories around them"),
]
OptionalTargets = Annotated[
    list[str] | None,
    Argument(
        metavar="[PATH…]",
        help="Artifacts, pointers, paths inside artifacts, or directories around them; everything by default",
    ),
]
DataTargets = Annotated[
    list[str] | None,
    Argument(
        metavar="[PATH…]",
        help="Artifacts, pointers, paths inside artifacts, directories around them, or scripts and notebooks, for what "
        "they track; everything by default",
    ),
]
Remote = Annotated[
    str | None,
    Option("-r", "--remote", metavar="NAME", help="Remote to use; the default remote otherwise", check=_not_empty),
]
Jobs = Annotated[int | None, Option("-j", "--jobs", metavar="N", help="How much to do at once", check=_positive)]
Revision = Annotated[
    str | None,
    Option("--rev", metavar="REV", help="A git revision instead of the work tree", check=_not_empty),
]
AllBranches = Annotated[bool, Option("--all-branches", help="The versions at the tip of every branch")]
AllTags = Annotated[bool, Option("--all-tags", help="The versions at every tag")]
AllCommits = Annotated[bool, Option("--all-commits", help="The versions of every commit of every ref")]
DryRun = Annotated[bool, Option("--dry-run", help="Only say what would be done")]

RemoteUrl = Annotated[
    str | None,
    Option("--remote", metavar="URL", help="Read the data from here, not where the registry says", check=_not_empty),
]
RemoteSettings = Annotated[
    list[str] | None, Option("--set", metavar="K=V", help="A setting of --remote; repeat for more")
]
Url = Annotated[
    str,
    Argument(metavar="URL", help="A path, or s3://BUCKET/KEY, ssh://HOST/PATH, https://HOST/FILE and the like"),
]
UrlSettings = Annotated[
    list[str] | None,
    Option("--set", metavar="K=V", help="A setting as remotes have them, such as endpoint_url; repeat for more"),
]
SourceRevision = Annotated[
    str | None,
    Option("--rev", metavar="REV", help="A branch, tag or commit; the default branch otherwise"),
]


def settings_of(pairs: list[str] | None) -> dict[str, str]:
    """`K=V` words as a mapping; UsageError for a word that is none.

    >>> settings_of(["region=eu", "pack=false"])
    {'region': 'eu', 'pack': 'false'}
    """
    settings: dict[str, str] = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UsageError(
                "a setting without a value", hint="write it as KEY=VALUE"
            )  # it may be a secret: not echoed
        settings[key] = value
    return settings
