"""The strict layer: a WSGI application in front of moto that refuses what AWS would refuse.

How a request is handled:

1. `AssumeRoleWithWebIdentity` is answered here. It is the only call that needs no signature.
2. Any other call must be signed with unexpired credentials that this local AWS issued.
3. Only STS, S3 and IAM are passed on to moto, each by name. moto's control paths and its other
   services can't be reached.
4. If moto fails, the answer is one of AWS's errors, never a 500.
"""

from __future__ import annotations

import io
import logging
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from moto.moto_server import werkzeug_app
from werkzeug.wsgi import get_input_stream

from jupyter_wb_aws.demo.local_aws.answers import AwsError, Protocol, error_answer
from jupyter_wb_aws.demo.local_aws.assume_role import ACTION, assume_role_with_web_identity
from jupyter_wb_aws.demo.local_aws.authentication import (
    Fault,
    Refused,
    Signed,
    credentials_of,
    refusal,
)
from jupyter_wb_aws.demo.local_aws.presigned import sign_by_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication

_log = logging.getLogger(__name__)
_PROTOCOLS = {"s3": Protocol.S3, "sts": Protocol.QUERY, "iam": Protocol.QUERY}
_MAX_FORM = 64 * 1024
_MAX_DRAINED = 64 * 1024 * 1024


class StrictAws:
    """The application.

    Args:
        credential_lifetime: seconds that override the requested duration.
        reads_roles_claim: False for an AWS, or a store, that does not know the roles claim of tokens.
    """

    def __init__(
        self, credential_lifetime: int | None = None, *, reads_roles_claim: bool = True
    ) -> None:
        self._credential_lifetime = credential_lifetime
        self._reads_roles_claim = reads_roles_claim
        # Otherwise moto answers the scripts of every web page.
        werkzeug_app.DISABLE_GLOBAL_CORS = True  # type: ignore[attr-defined]
        self._moto: dict[str, WSGIApplication] = {
            "s3": werkzeug_app.create_backend_app("s3"),
            "sts": werkzeug_app.create_backend_app("sts"),
            "iam": werkzeug_app.create_backend_app("iam"),
        }

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        environ.pop("HTTP_X_MOTO_ACCOUNT_ID", None)
        # End the input with the body, so that no reader waits for the client after that.
        environ["wsgi.input"] = get_input_stream(environ)
        environ["wsgi.input_terminated"] = True
        form = _form(environ)
        protocol = _protocol(environ, form)
        try:
            if form.get("Action") == ACTION:
                answer = assume_role_with_web_identity(
                    form, self._credential_lifetime, reads_roles_claim=self._reads_roles_claim
                )
            else:
                return self._signed(environ, start_response)
        except Refused as refused:
            answer = error_answer(refusal(refused.fault, protocol), protocol)
        except AwsError as error:
            answer = error_answer(error, protocol)
        _drain(environ)
        return answer.send(environ["REQUEST_METHOD"], start_response)

    def _signed(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        signed = Signed.parse(environ)
        if signed is None:
            raise _unsigned(environ)
        issued = credentials_of(signed)
        moto = self._moto.get(signed.service)
        if moto is None or (signed.presigned and signed.service != "s3"):
            raise Refused(Fault.DENIED)
        if signed.service != "s3" and environ.get("PATH_INFO") not in ("", "/"):
            raise _invalid_action()
        if signed.presigned:
            sign_by_header(environ, signed, issued)
        return _ask_moto(moto, signed.service, environ, start_response)


def _unsigned(environ: Mapping[str, Any]) -> Exception:
    if "AWSAccessKeyId=" in environ.get("QUERY_STRING", ""):
        return AwsError(
            "InvalidRequest",
            "The authorization mechanism you have provided is not supported. "
            "Please use AWS4-HMAC-SHA256.",
        )
    return Refused(Fault.MISSING)


def _ask_moto(
    moto: WSGIApplication, service: str, environ: dict[str, Any], start_response: StartResponse
) -> Iterable[bytes]:
    """Pass the request to moto, and start the answer only if moto did not fail."""
    started: list[Any] = []
    body: Iterable[bytes] = ()
    try:
        body = moto(environ, lambda *args: started.append(args))  # type: ignore[arg-type]
        failed = not started or started[0][0].startswith("5")
    except Exception:  # noqa: BLE001 - AWS would not answer 500, regardless of how moto fails
        _log.debug("moto failed", exc_info=True)
        failed = True
    if not failed:
        start_response(*started[0][:2])
        return body
    if service == "s3":
        raise AwsError(
            "NotImplemented",
            "A header or query you provided implies functionality that is not implemented.",
            501,
        )
    raise _invalid_action()


def _invalid_action() -> AwsError:
    return AwsError("InvalidAction", "The action or operation requested is not valid.")


def _form(environ: dict[str, Any]) -> dict[str, str]:
    """Return the parameters of a call to STS or IAM, from its body or its query.

    The body is put back for moto. A body that is not a form (an upload to S3) is not read.
    """
    if environ.get("PATH_INFO", "/") not in ("", "/"):
        return {}
    parameters = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    content_type, length = str(environ.get("CONTENT_TYPE", "")), _content_length(environ)
    if content_type.startswith("application/x-www-form-urlencoded") and length <= _MAX_FORM:
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        parameters += parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    form: dict[str, str] = {}
    for name, value in parameters:
        form.setdefault(name, value)
    return form


def _protocol(environ: Mapping[str, Any], form: Mapping[str, str]) -> Protocol:
    """Return the protocol to answer in: that of the signed request's service, or a guess."""
    try:
        signed = Signed.parse(environ)
    except Refused:
        signed = None
    if signed is not None and signed.service in _PROTOCOLS:
        return _PROTOCOLS[signed.service]
    if "Action" in form:
        return Protocol.QUERY
    if "HTTP_X_AMZ_TARGET" in environ or signed is not None:
        return Protocol.JSON
    return Protocol.S3


def _drain(environ: Mapping[str, Any]) -> None:
    """Read what the client still sends. If we closed earlier, it might not see our answer."""
    left = min(_content_length(environ), _MAX_DRAINED)
    while left > 0:
        chunk = environ["wsgi.input"].read(min(left, 65536))
        if not chunk:
            return
        left -= len(chunk)


def _content_length(environ: Mapping[str, Any]) -> int:
    length = str(environ.get("CONTENT_LENGTH") or "0")
    return int(length) if re.fullmatch("[0-9]{1,15}", length) else 0
