"""What the endpoint answers, and its bytes.

Every answer is JSON, is not to be stored, and ends its connection. A refusal has its code and sentence twice: the
JavaScript SDK reads `Code` and `Message`, the Go SDK `code` and `message`, and boto3 prints the whole body.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """An HTTP status and a JSON object; without a `repr`, because it may hold credentials."""

    status: int
    body: Mapping[str, object]


class Refusal(Exception):
    """A request that gets no credentials.

    Args:
        status: of HTTP.
        code: for programs, in the form of AWS's own error codes.
        message: one sentence without quotes, which people read inside an SDK's traceback.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def answer(self) -> Answer:
        """Return this as an answer."""
        body = {
            "Code": self.code,
            "Message": self.message,
            "code": self.code,
            "message": self.message,
        }
        return Answer(self.status, body)


def encoded(answer: Answer) -> bytes:
    """Return an answer's bytes."""
    body = json.dumps(dict(answer.body)).encode()
    allow = "Allow: GET\r\n" if answer.status == HTTPStatus.METHOD_NOT_ALLOWED else ""
    head = (
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"Cache-Control: no-store\r\n{allow}Connection: close\r\n\r\n"
    )
    return head.encode() + body
