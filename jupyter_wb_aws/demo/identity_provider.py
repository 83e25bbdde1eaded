"""The identity provider of a demo whose user is already signed in.

It issues tokens only to clients that know a secret. The secret is generated at start, and is in a
file that only this user can read.
"""

from __future__ import annotations

import hmac
import json
import secrets
from typing import TYPE_CHECKING, Any

from flask import request

from jupyter_wb_aws.demo.issuer import DEFAULT_TOKEN_LIFETIME, Issuer
from jupyter_wb_aws.demo.private_file import write_private
from jupyter_wb_aws.demo.users import ALICE, User

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask

_Answer = tuple[dict[str, Any], int]


class IdentityProvider(Issuer):
    """An issuer that gives tokens to `print_token` without a sign-in.

    Args:
        token_lifetime: seconds that a token is valid.
        users: the users that it knows; by default only alice.
    """

    def __init__(
        self,
        *,
        token_lifetime: int = DEFAULT_TOKEN_LIFETIME,
        users: tuple[User, ...] = (ALICE,),
    ) -> None:
        self._secret = secrets.token_urlsafe(32)
        super().__init__(users, token_lifetime=token_lifetime)

    def write_client_file(self, path: Path, user: str = "alice") -> None:
        """Write what `print_token` needs to request tokens of `user`: the address and the secret."""
        client = {
            "token_endpoint": f"{self.issuer}/token",
            "secret": self._secret,
            "user": self._users[user].subject,
        }
        write_private(path, json.dumps(client))

    def _add_endpoints(self, app: Flask) -> None:
        app.add_url_rule("/token", view_func=self._token, methods=["POST"])

    def _token(self) -> _Answer:
        user = request.form.get("user", "")
        if not self._knows_the_secret():
            return {"error": "invalid_client"}, 401
        if user not in self._users:
            return {"error": "invalid_request", "error_description": "unknown user"}, 400
        return {"id_token": self.mint(user), "expires_in": self.token_lifetime}, 200

    def _knows_the_secret(self) -> bool:
        scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
        # In constant time, so that the delay of the answer reveals nothing.
        same = hmac.compare_digest(presented.encode(), self._secret.encode())
        return scheme.lower() == "bearer" and same
