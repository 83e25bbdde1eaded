"""The base of every failure that a user can meet; `errors` has the kinds, and is where to import it from."""

from __future__ import annotations


class WbAwsError(Exception):
    """Base of every failure that is shown to a user.

    Args:
        detail: what happened this time, as a sentence.
        hint: what the user can do now.
        admin_hint: what the user should hand to an administrator; may name public values seen
            (an issuer, an audience, an ARN), never a token.
        retry_after: seconds after which another try makes sense, where that is known.
    """

    code = "internal_error"
    status = 500
    title = "Something went wrong"
    hint = "Try again; if it happens again, send the server's log to your administrator."

    def __init__(
        self,
        detail: str = "",
        *,
        hint: str | None = None,
        admin_hint: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.hint = self.hint if hint is None else hint
        self.admin_hint = admin_hint
        self.retry_after = retry_after

    def as_problem(self) -> dict[str, object]:
        """Return this failure as the REST contract shapes it (RFC 9457, problem details).

        JupyterLab's ServerConnection.ResponseError shows `message` and `reason`.
        """
        return {
            "type": f"urn:jupyter-wb-aws:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "hint": self.hint,
            "admin_hint": self.admin_hint,
            "message": self.detail,
            "reason": self.title,
        }
