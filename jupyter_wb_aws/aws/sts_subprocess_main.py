"""`python -m jupyter_wb_aws.aws.sts_subprocess_main`: calls STS as boto3 does, in a kernel's environment.

The server starts it (`sts_subprocess`). It reads the question, which contains the web identity token, from
standard input, and writes the answer to standard output. It assumes the role by an explicit call, so boto3's
credential chain never runs, and never asks the machine's metadata service.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from jupyter_wb_aws.aws import sts

# Seconds, in case the server dies and cannot kill this process.
MAX_LIFETIME = 60


def main() -> None:
    """Answer one question."""
    signal.alarm(MAX_LIFETIME)
    asked = json.load(sys.stdin)
    os.environ["AWS_EC2_METADATA_DISABLED"] = (
        "true"  # with AWS_DEFAULTS_MODE=auto, boto3 would ask it for a region
    )
    json.dump(answer(asked), sys.stdout)


def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Call STS.

    Args:
        asked: ``role`` (its ARN), ``region`` (used if the environment names none), ``session_name``,
            ``token``; ``verify``: call GetCallerIdentity too; ``credentials``: return them in the answer;
            ``options``: what is asked of the credentials, as `CredentialOptions.as_question` returns it.

    Returns:
        ``caller`` (or None), ``expiration`` and, if asked for, ``credentials``; or ``failure``, the
        fields of an `StsFailure`; or ``bad_answer``, a sentence. ``endpoint`` is the URL that was called.
    """
    from jupyter_wb_aws.aws.botocore_errors import failure_from_exception
    from jupyter_wb_aws.aws.proxy_variables import variable_for
    from jupyter_wb_aws.errors import StsBadAnswer

    client = _Client(asked["region"])
    try:
        found = _ask(client, asked)
    except StsBadAnswer as error:
        found = {"bad_answer": error.detail}
    except Exception as error:  # noqa: BLE001 - botocore, and what it reads, may raise anything
        proxy = variable_for(client.url, os.environ)
        failure = failure_from_exception(error, url=client.url, proxy=proxy, sent=client.sent)
        found = {"failure": asdict(failure)}
    return {**found, "endpoint": client.url}


def _ask(client: _Client, asked: Mapping[str, Any]) -> dict[str, Any]:
    from jupyter_wb_aws.aws.sts_operations import assume, find_caller, verify_caller

    assumed = assume(
        client.make, asked["role"], asked["session_name"], asked["token"], asked["options"]
    )
    named = (verify_caller if asked["verify"] else find_caller)(client.make, assumed)
    credentials = assumed["Credentials"]
    credentials["Expiration"] = credentials["Expiration"].isoformat()
    found = {"caller": named, "expiration": credentials["Expiration"]}
    return {**found, "credentials": credentials} if asked["credentials"] else found


class _Client:
    """Makes clients of STS as boto3 would in this environment.

    `url` is the endpoint of the last one; `sent` is whether any request was sent.
    """

    def __init__(self, region: str | None) -> None:
        self._region = region
        self._session: Any = None
        self.url = ""
        self.sent = False

    def make(self, credentials: Mapping[str, Any] | None) -> Any:
        """Make a client with these credentials, or an unsigned one."""
        from botocore import UNSIGNED
        from botocore.config import Config

        keys = credentials or {}
        # Our own timeouts and attempts, so that an error is explained before the deadline.
        config = Config(
            connect_timeout=sts.CONNECT_TIMEOUT,
            read_timeout=sts.READ_TIMEOUT,
            retries={"total_max_attempts": sts.MAX_ATTEMPTS},
            **({} if credentials else {"signature_version": UNSIGNED}),
        )
        session = self._session = self._session or self._make_session()
        region = session.get_config_variable("region")
        if region is None and (credentials or self._region != sts.HOME_REGION["aws"]):
            # The partition `aws` has a global STS for unsigned calls; everything else needs a region.
            region = self._region
        client = session.create_client(
            "sts",
            region_name=region,
            aws_access_key_id=keys.get("AccessKeyId"),
            aws_secret_access_key=keys.get("SecretAccessKey"),
            aws_session_token=keys.get("SessionToken"),
            config=config,
        )
        self.url = client.meta.endpoint_url
        return client

    def _make_session(self) -> Any:
        from botocore.session import Session

        from jupyter_wb_aws.aws.sts_operations import TolerantParsers

        session = Session()
        session.register_component("response_parser_factory", TolerantParsers())
        session.register("before-send.sts", self._note)
        return session

    def _note(self, **_: object) -> None:
        self.sent = True


if __name__ == "__main__":
    main()
