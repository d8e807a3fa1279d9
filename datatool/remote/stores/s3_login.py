"""As whom an S3 remote is used: what the settings say, and how messages call it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from datatool.config.keys import switch
from datatool.errors import RemoteDenied, UsageError
from datatool.model.paths import show
from datatool.remote.stores.s3_place import Place
from datatool.remote.url import aws_profile


class Keys(Struct, frozen=True, kw_only=True):
    """An access key, and the token of a session where it is a temporary one."""

    access_key_id: str
    secret_access_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return f"Keys({shortened(self.access_key_id)})"


class Login(Struct, frozen=True, kw_only=True):
    """`keys` or a `profile` from the remote's settings; nobody (`anonymous`); else what the AWS tools would use."""

    keys: Keys | None = None
    profile: str | None = None
    anonymous: bool = False
    region: str | None = None

    def profile_in(self, environ: Mapping[str, str]) -> str | None:
        """The profile that the AWS tools take the login from: that of the settings, else the environment's, unless
        there are keys in either; None for what is found without one."""
        if self.anonymous or self.keys is not None:
            return None
        if self.profile is not None:
            return self.profile
        return None if environ.get("AWS_ACCESS_KEY_ID") else aws_profile(environ)

    def called(self, environ: Mapping[str, str]) -> str:
        """What messages call it before the AWS library has told more."""
        if self.shown is not None:
            return self.shown
        profile = self.profile_in(environ)
        return "whoever the AWS tools find" if profile is None else f"profile {show(profile)} (from the environment)"

    @property
    def shown(self) -> str | None:
        """What messages call it; None for what only the AWS library finds out."""
        if self.anonymous:
            return "nobody (anonymous)"
        if self.keys is not None:
            return f"access key {shortened(self.keys.access_key_id)}"
        return f"profile {show(self.profile)}" if self.profile is not None else None


def read_login(settings: Mapping[str, str]) -> Login:
    """The login that a remote's settings describe. Raises UsageError for halves, and for things that exclude each
    other."""
    key, secret = settings.get("access_key_id"), settings.get("secret_access_key")
    token, profile = settings.get("token"), settings.get("profile")
    anonymous = switch(settings.get("anonymous", "false")) is True
    if (key is None) != (secret is None):
        missing = "secret_access_key" if secret is None else "access_key_id"
        raise UsageError(
            f"an S3 access key has two halves: {missing} is not set",
            hint=f"datatool remote set NAME {missing}=… --local",
        )
    if token is not None and key is None:
        raise UsageError(
            "token is of no use without access_key_id and secret_access_key",
            hint="datatool config unset remotes.NAME.token",
        )
    if anonymous and (key is not None or profile is not None):
        what = "access_key_id" if key is not None else "profile"
        raise UsageError(
            f"anonymous and {what} are both set", hint="datatool remote set NAME anonymous=false, or unset the other"
        )
    keys = None
    if key is not None and secret is not None:
        keys = Keys(access_key_id=key, secret_access_key=secret, token=token)
    return Login(
        keys=keys,
        profile=profile if keys is None else None,
        anonymous=anonymous,
        region=settings.get("region"),
    )


def no_profile(place: Place, profile: str, environ: Mapping[str, str]) -> RemoteDenied:
    """The error for a profile that the AWS tools' files do not have; they are named, as variables may move them."""
    files = [
        environ.get("AWS_CONFIG_FILE") or "~/.aws/config",
        environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials",
    ]
    return RemoteDenied(
        f"{place.label}: there is no profile {show(profile)[:100]} in {' or '.join(map(show, files))}",
        hint="aws configure list-profiles lists what there is; datatool remote set NAME --local profile=… sets another",
        path=place.label,
    )


def shortened(access_key_id: str) -> str:
    """Enough of a key's id to know it by.

    >>> shortened("AKIAIOSFODNN7EXAMPLE"), shortened("minio")
    ('AKIA…MPLE', 'mi…')
    """
    shown = show(access_key_id)
    return f"{shown[:4]}…{shown[-4:]}" if len(shown) >= 16 else f"{shown[:2]}…"
