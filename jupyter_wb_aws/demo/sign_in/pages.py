"""The provider's pages for a browser, and its endpoints for a client.

The pages have no scripts and load nothing from elsewhere.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc9207 import IssuerParameter
from flask import (
    Blueprint,
    Response,
    abort,
    make_response,
    render_template,
    request,
    session,
    url_for,
)

from jupyter_wb_aws.demo.sign_in.memory import Grant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Flask

    from jupyter_wb_aws.demo.sign_in.memory import SignIn
    from jupyter_wb_aws.demo.sign_in.protocol import Server
    from jupyter_wb_aws.demo.users import User

_DENY = "deny"
_Page = Response | str | tuple[str, int]


class Pages:
    """The provider's pages and endpoints.

    Args:
        server: the implementation of the protocol.
        users: the users to choose from, by subject.
    """

    def __init__(self, server: Server, users: Mapping[str, User]) -> None:
        self._server = server
        self._memory = server.memory
        self._users = users
        self._token_lock = threading.Lock()

    def add_to(self, app: Flask) -> None:
        """Add them to `app`."""
        app.secret_key = secrets.token_bytes(32)
        app.config["SESSION_COOKIE_NAME"] = "demo-identity-provider"
        app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
        pages = Blueprint("sign_in", __name__, template_folder="templates", static_folder="static")
        pages.add_url_rule("/authorize", view_func=self.authorize, methods=["GET", "POST"])
        pages.add_url_rule("/device", view_func=self.device, methods=["GET", "POST"])
        pages.add_url_rule("/end-session", view_func=self.end_session, methods=["GET", "POST"])
        pages.add_url_rule("/token", view_func=self.token, methods=["POST"])
        pages.add_url_rule(
            "/device-authorization", view_func=self.device_authorization, methods=["POST"]
        )
        pages.add_url_rule("/revoke", view_func=self.revoke, methods=["POST"])
        pages.context_processor(lambda: {"csrf": _csrf, "current": self._sign_in()})
        pages.register_error_handler(ValueError, _not_understood)
        pages.after_request(self._with_policy)
        app.register_blueprint(pages)

    # --- Pages ---------------------------------------------------------------------------

    def authorize(self) -> _Page:
        """Let the user choose, and send the browser back with a code (OpenID Connect Core, 3.1.2)."""
        sign_in = self._sign_in(request.values.get("max_age", type=int))
        try:
            grant = self._server.get_consent_grant(end_user=sign_in)
        except OAuth2Error as error:
            return self._refuse(error)
        if "choice" in request.form:
            sign_in = self._chosen()
        elif sign_in is None or grant.prompt:
            # Pass the parameters in the address, because the form has fields of its own.
            action = f"{url_for('.authorize')}?{urlencode(list(request.values.items(multi=True)))}"
            return render_template("choose.html", users=self._users.values(), action=action)
        response = self._server.create_authorization_response(grant_user=sign_in, grant=grant)
        return self._with_issuer(response)

    def device(self) -> _Page:
        """Ask for the code, and let the user choose (RFC 8628, 3.3)."""
        typed = request.values.get("user_code", "")
        asked = self._memory.device(typed)
        if asked is None:
            return render_template("device.html", typed=typed), 404 if typed else 200
        if "choice" not in request.form:
            return render_template(
                "choose.html",
                users=self._users.values(),
                action=url_for(".device"),
                user_code=asked.user_code,
            )
        if sign_in := self._chosen():
            asked.grant = Grant(sign_in, asked.scope)
            return render_template("done.html", title=f"You are signed in as {sign_in.user.name}")
        asked.denied = True
        return render_template("done.html", title="You are not signed in")

    def end_session(self) -> _Page:
        """End a sign-in (OpenID Connect RP-Initiated Logout); ask first, unless the client names it."""
        try:
            asked = self._server.validate_endpoint_request("end_session")
        except OAuth2Error as error:
            return self._refuse(error)
        if asked.needs_confirmation:
            if "csrf" not in request.form:
                return render_template("end_session.html")
            _check_csrf()
            self._memory.end_sign_in(session.get("sign_in", ""))
        self._server.create_endpoint_response("end_session", asked)
        return render_template("done.html", title="You are signed out")

    # --- Endpoints -----------------------------------------------------------------------

    def token(self) -> Response:
        """Issue tokens, to one request at a time, because a code or refresh token works only once."""
        request.get_data(parse_form_data=True)  # read all of it before taking the lock
        with self._token_lock:
            return _response(self._server.create_token_response())

    def device_authorization(self) -> Response:
        """Issue a device code and a user code."""
        return _response(self._server.create_endpoint_response("device_authorization"))

    def revoke(self) -> Response:
        """End the grant of a refresh token (RFC 7009)."""
        return _response(self._server.create_endpoint_response("revocation"))

    # --- Both ----------------------------------------------------------------------------

    def _sign_in(self, max_age: int | None = None) -> SignIn | None:
        """Return this browser's sign-in, unless it has ended or is older than `max_age` seconds."""
        known = self._memory.sign_ins.get(session.get("sign_in", ""))
        if known and max_age is not None and time.time() - known.at > max_age:
            return None
        return known

    def _chosen(self) -> SignIn | None:
        """Sign in as the user whose button was pressed; None stands for "nobody"."""
        _check_csrf()
        choice = request.form["choice"]
        if choice == _DENY:
            return None
        if choice not in self._users:
            abort(400)
        begun = self._memory.sign_in(self._users[choice])
        session["sign_in"] = begun.id
        return begun

    def _refuse(self, error: OAuth2Error) -> _Page:
        if error.redirect_uri:
            return self._with_issuer(self._server.handle_error_response(None, error))
        return _refused(error.get_error_description())

    def _with_issuer(self, response: Response) -> Response:
        """Say who answers, in errors too (RFC 9207)."""
        _Issuer(self._server.issuer.url).add_issuer_parameter(self._server, response)
        return response

    def _with_policy(self, response: Response) -> Response:
        # Forms lead to the client too: browsers also check where the answer redirects.
        client = urlsplit(self._server.client.redirect_uri)
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
            f"form-action 'self' {client.scheme}://{client.netloc}"
        )
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


class _Issuer(IssuerParameter):
    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    def get_issuer(self) -> str:
        return self._issuer


def _response(answer: Any) -> Response:
    assert isinstance(answer, Response)
    return answer


def _csrf() -> str:
    """Return this browser's secret for a form; a page of another site can't know it."""
    return str(session.setdefault("csrf", secrets.token_urlsafe(16)))


def _check_csrf() -> None:
    expected, sent = session.get("csrf", ""), request.form.get("csrf", "")
    if not expected or not hmac.compare_digest(expected.encode(), sent.encode()):
        abort(make_response(_refused("This page is out of date.")))


def _refused(description: str) -> tuple[str, int]:
    return render_template("refused.html", description=description), 400


def _not_understood(_: ValueError) -> tuple[dict[str, str], int]:
    """Answer instead of authlib, which raises an exception for characters it can't repeat."""
    return {"error": "invalid_request"}, 400
