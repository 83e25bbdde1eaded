"""AWS's answers: errors in the format of the service, and STS's XML.

Sources: botocore's service models (codes and statuses of STS), Amazon S3 API Reference "Error
responses", AWS STS API Reference "Common error types", AWS JSON protocol.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


class Protocol(Enum):
    """The protocol of a service, which also decides its error codes."""

    S3 = auto()
    QUERY = auto()
    """STS, IAM"""
    JSON = auto()


class AwsError(Exception):
    """An error of AWS.

    Args:
        code: AWS's error code.
        message: AWS's message.
        status: the HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    content_type: str
    body: bytes

    def send(self, method: str, start_response: StartResponse) -> Iterable[bytes]:
        """Send the answer through the WSGI server; HEAD gets no body."""
        body = b"" if method == "HEAD" else self.body
        headers = [
            ("Content-Type", self.content_type),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ]
        start_response(f"{self.status} {HTTPStatus(self.status).phrase}", headers)
        return [body]


def error_answer(error: AwsError, protocol: Protocol) -> Answer:
    """Return `error` in the format of the protocol."""
    request_id = str(uuid.uuid4())
    if protocol is Protocol.JSON:
        body = json.dumps({"__type": error.code, "message": error.message})
        return Answer(error.status, "application/x-amz-json-1.1", body.encode())
    content: dict[str, Any] = {"Code": error.code, "Message": error.message}
    if protocol is Protocol.S3:
        content |= {"RequestId": request_id, "HostId": "local"}
        return _xml(error.status, {"Error": content})
    content = {"Type": "Sender", **content}
    return _xml(
        error.status,
        {"ErrorResponse": {"Error": content, "RequestId": request_id}},
        namespace=STS_NAMESPACE,
    )


def sts_answer(action: str, result: Mapping[str, object]) -> Answer:
    """Return an STS result; members that are None are left out."""
    content = {
        f"{action}Result": result,
        "ResponseMetadata": {"RequestId": str(uuid.uuid4())},
    }
    return _xml(200, {f"{action}Response": content}, namespace=STS_NAMESPACE)


def _xml(status: int, content: Mapping[str, object], namespace: str | None = None) -> Answer:
    (root,) = content
    text = _elements(content)
    if namespace:
        text = text.replace(f"<{root}>", f'<{root} xmlns="{namespace}">', 1)
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'
    return Answer(status, "text/xml", body.encode())


def _elements(content: Mapping[str, object]) -> str:
    return "".join(
        f"<{name}>{_text(value)}</{name}>" for name, value in content.items() if value is not None
    )


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return _elements(value)
    return escape(_NOT_IN_XML.sub("?", str(value)), quote=False)
