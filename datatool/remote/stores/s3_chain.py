"""The credentials that the AWS tools would use, for the engine that does not know all their ways."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from botocore import exceptions as boto
from botocore.session import Session

from datatool.errors import RemoteDenied
from datatool.model.paths import show
from datatool.remote.stores.s3_answers import Caller, Refusal
from datatool.remote.stores.s3_login import no_profile, shortened

_VALID: Final = timedelta(minutes=10)
"""How long a key is used before it is asked for again: botocore renews those that expire in the next quarter hour."""


class Found(NamedTuple):
    """Where keys come from: a function that gives the current ones, how to call them, the region that goes with it."""

    provider: Callable[[], dict[str, Any]]
    login: str
    region: str | None


def find(caller: Caller, profile: str | None) -> Found:
    """Ask the profile, the environment, `~/.aws` and this machine's role, in the order of the AWS tools. Raises
    RemoteDenied where there is nothing, or nothing that is valid."""
    place = caller.place
    try:
        session = Session(profile=profile)
        credentials = session.get_credentials()
        region = session.get_config_variable("region")
        if credentials is None:
            raise RemoteDenied(
                f"{place.label}: no credentials for {place.service}: none in the remote's settings, the environment"
                " (AWS_ACCESS_KEY_ID), ~/.aws, or this machine's role",
                hint="aws configure, or datatool remote set NAME --local profile=…; for a public bucket:"
                " datatool remote set NAME anonymous=true",
                path=place.label,
            )

        def provide() -> dict[str, Any]:
            frozen = credentials.get_frozen_credentials()
            return {
                "access_key_id": frozen.access_key,
                "secret_access_key": frozen.secret_key,
                "token": frozen.token,
                "expires_at": datetime.now(UTC) + _VALID,
            }

        key = provide()["access_key_id"]
        login = f"profile {show(profile)}" if profile else f"access key {shortened(key)}"
    except boto.ProfileNotFound as error:
        raise no_profile(place, str(error.kwargs["profile"]), os.environ) from error
    except boto.ClientError as error:
        answer = error.response.get("Error") or {}
        refusal = Refusal(status=0, code=str(answer.get("Code") or ""), message=str(answer.get("Message") or ""))
        denied = caller.login_refused(refusal, str(error.operation_name))
        raise denied or caller.no_login(f"no credentials: {_words(error)}") from error
    except boto.BotoCoreError as error:
        raise caller.no_login(_words(error)) from error
    except RuntimeError as error:
        expired = caller.expired(error)
        if expired is None:
            raise
        raise expired from error
    return Found(provide, login, region)


def _words(error: Exception) -> str:
    return show(" ".join(str(error).split()))[:300]
