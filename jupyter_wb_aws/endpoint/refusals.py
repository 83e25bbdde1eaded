"""Why a client gets no credentials: one sentence each, which people read in the traceback of an SDK.

boto3 prints the whole JSON of a refusal, where quotation marks in a sentence would be preceded by backslashes.
"""

from __future__ import annotations

import re

from jupyter_wb_aws.endpoint.answers import Refusal
from jupyter_wb_aws.endpoint.clients import EndpointClient
from jupyter_wb_aws.errors import (
    RoleSessionEnded,
    SignInRequired,
    StsRejected,
    StsTimeout,
    TokenRefused,
    TrustRefused,
    WbAwsError,
)
from jupyter_wb_aws.role_sessions.role_session import END_REASON_TEXT, RoleSession

# 403: SDKs show it at once or after few tries. 503: what they ask for may be there in a moment.
REFUSED, NOT_NOW = 403, 503
QUOTES = re.compile(r"[\"'`\\]")
WHAT = {
    "kernel": "This kernel",
    "terminal": "This terminal",
    "app": "This app",
    "exec": "This command",
    "environment": "This role session",
}

NO_TOKEN = Refusal(
    REFUSED,
    "EndpointTokenUnknown",
    "This program sent no endpoint token. Its AWS SDK is probably too old for that: use a newer version, or a role that"
    " is delivered by web identity.",
)
UNKNOWN_TOKEN = Refusal(
    REFUSED,
    "EndpointTokenUnknown",
    "This Jupyter server does not know the endpoint token that was sent, probably because the server was started again:"
    " restart the kernel or open a new terminal.",
)


def ended_client(client: EndpointClient) -> Refusal:
    """Return why a client that was ended by hand gets nothing."""
    message = f"{WHAT[client.kind]} no longer gets AWS credentials, because its access was ended in Jupyter."
    return Refusal(REFUSED, "ClientEnded", message)


def without_role(client: EndpointClient) -> Refusal:
    """Return why a client with "no AWS role" gets nothing."""
    message = f"{WHAT[client.kind]} has no AWS role now: choose one in Jupyter."
    return Refusal(REFUSED, "NoAwsRole", message)


def for_problem(session: RoleSession, problem: WbAwsError) -> Refusal:
    """Return why there are no credentials of a role session.

    Args:
        session: the role session.
        problem: what stands in the way.
    """
    label = plain(session.role.label)
    if isinstance(problem, RoleSessionEnded):
        return Refusal(REFUSED, "RoleSessionEnded", _ended(session, label))
    why = plain(problem.detail).split(". ")[0].rstrip(".")
    if isinstance(problem, SignInRequired):
        message = (
            f"There are no AWS credentials for {label} until you sign in to Jupyter again: {why}."
        )
        return Refusal(REFUSED, "SignInRequired", message)
    if isinstance(problem, TrustRefused):
        return Refusal(REFUSED, "AccessDenied", f"AWS refuses the role {label}: {why}.")
    if isinstance(problem, TokenRefused | StsRejected):
        message = f"AWS gives no credentials for {label}: {why}."
        return Refusal(REFUSED, "CredentialsRefused", message)
    code = "CredentialsNotReady" if isinstance(problem, StsTimeout) else "CredentialsUnavailable"
    return Refusal(NOT_NOW, code, f"There are no AWS credentials for {label} yet: {why}.")


def _ended(session: RoleSession, label: str) -> str:
    why = f" ({END_REASON_TEXT[session.ended.reason]})" if session.ended else ""
    signed_out = session.ended is not None and session.ended.reason == "signed_out"
    do = "sign in and start the role again" if signed_out else "start the role again"
    return f"The role session of {label} has ended{why}, so there are no AWS credentials for it: {do} in Jupyter."


def plain(text: str) -> str:
    """Return a text on one line and without quotation marks."""
    return " ".join(QUOTES.sub("", text).split())
