"""Explain an answer that does not follow the REST contract, and a missing answer."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from jupyter_wb_aws.cli.errors import CliError, ExitCode, local_problem

if TYPE_CHECKING:
    import ssl

# The certificate has another host name, or another address: OpenSSL's X509_V_ERR_*_MISMATCH.
HOST_MISMATCHES = {62, 64}


def no_problem_document(url: str, status: int) -> CliError:
    """Explain an error whose body is not ours but Jupyter's, or that of a proxy."""
    if status == 404:
        return _no_extension(url)
    if status in {401, 403}:
        return _not_let_in(url)
    return unreadable(url, status)


def no_token(url: str) -> CliError:
    """Explain a server that accepts only a password or another log-in."""
    return local_problem(
        "no_token",
        "This Jupyter server accepts no token",
        detail=f"The Jupyter server at {url} has a password or another log-in but no token, which a"
        " command needs.",
        hint="Use JupyterLab, or start the server with a token: `--IdentityProvider.token=…`.",
        exit_code=ExitCode.CANNOT_ASK,
    )


def unreadable(url: str, status: int) -> CliError:
    """Explain a body that is not JSON, or a redirect (which is never followed)."""
    return local_problem(
        "answer_unreadable",
        "The answer can't be understood",
        detail=f"The answer of {url}, with status {status}, is not one of jupyter_wb_aws.",
        hint="Look in the server's log, and check that no proxy or log-in page answers instead of it.",
        exit_code=ExitCode.FAILED,
    )


def not_of_the_contract(url: str, why: str) -> CliError:
    """Explain JSON that does not follow the REST contract.

    Args:
        url: the server's URL, as it may be shown.
        why: the end of the sentence that says what is wrong.
    """
    return local_problem(
        "answer_unreadable",
        "The answer is not one of jupyter_wb_aws",
        detail=f"What answers at {url} is not jupyter_wb_aws, or another version of it: the answer can't"
        f" be used because {why}.",
        hint="Check that this is the URL of your Jupyter server, and that this command and the server"
        " have the same version of jupyter_wb_aws.",
        exit_code=ExitCode.FAILED,
    )


def too_large(url: str) -> CliError:
    """Explain an answer that is too large to read."""
    return local_problem(
        "answer_unreadable",
        "The answer is too large",
        detail=f"The answer of {url} is too large to be one of jupyter_wb_aws.",
        hint="Check that the Jupyter server, and nothing else, answers at this URL.",
        exit_code=ExitCode.FAILED,
    )


def another_users_program(place: str) -> CliError:
    """Explain that nothing was sent, so that another user does not get the server's token."""
    return local_problem(
        "server_not_yours",
        "Another user's program listens where the Jupyter server should be",
        detail=f"A program of another user listens at {place} instead of your Jupyter server. Nothing was sent"
        " to it.",
        hint="Start your Jupyter server again, and run this in a new terminal of it.",
        exit_code=ExitCode.CANNOT_ASK,
    )


def unreachable(url: str, error: Exception, timeout: float, *, here: bool) -> CliError:
    """Explain why there was no answer.

    Args:
        url: the server's URL, as it may be shown.
        error: what happened.
        timeout: the seconds after which the request was given up.
        here: whether the server is on this machine.
    """
    import ssl
    import urllib.error

    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return _certificate_not_trusted(url, reason, here=here)
    if isinstance(reason, TimeoutError):
        why = f"did not answer within {timeout:g} seconds"
    else:
        why = f"can't be reached ({_words(reason)})"
    proxy = None if here else _proxy_variable(url)
    return local_problem(
        "server_unreachable",
        "The Jupyter server can't be reached",
        detail=f"The Jupyter server at {url} {why}.",
        hint=f"The request goes through the proxy in {proxy}. Check that variable, or add the server's host"
        " to NO_PROXY."
        if proxy
        else "Check that it is still running; its log may say more.",
        exit_code=ExitCode.FAILED,
    )


def _proxy_variable(url: str) -> str | None:
    """Return the variable that names the proxy for a URL, by the rules of urllib."""
    import urllib.request
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    names = (f"{parts.scheme}_proxy", f"{parts.scheme}_proxy".upper())
    return next((name for name in names if os.environ.get(name)), None)


def _no_extension(url: str) -> CliError:
    return local_problem(
        "not_enabled",
        "This Jupyter server does not offer AWS roles",
        detail=f"The Jupyter server at {url} runs without jupyter_wb_aws.",
        hint="Install jupyter_wb_aws in that server's own environment, then restart the server."
        " `jupyter server extension list` shows whether it is enabled.",
        exit_code=ExitCode.NOT_SET_UP,
    )


def _not_let_in(url: str) -> CliError:
    return local_problem(
        "not_authenticated",
        "The Jupyter server refused this command",
        detail=f"The Jupyter server at {url} did not accept the token of this command.",
        hint="Open a new terminal in JupyterLab and run the command there.",
        exit_code=ExitCode.FAILED,
    )


def _certificate_not_trusted(
    url: str, reason: ssl.SSLCertVerificationError, *, here: bool
) -> CliError:
    detail = f"The certificate of {url} can't be verified: {reason.verify_message}."
    if here:
        hint = (
            "Set SSL_CERT_FILE to the server's own certificate file, which ServerApp.certfile (or"
            " --certfile) names. This command then trusts that certificate with any names and dates."
        )
        if named := os.environ.get("SSL_CERT_FILE"):
            detail += f" SSL_CERT_FILE names {named}, {_what_it_lacks(named)}."
    elif reason.verify_code in HOST_MISMATCHES:
        hint = "Set JUPYTER_SERVER_URL to a URL with a host name that is in the certificate."
    else:
        hint = (
            "If your site made the certificate, set SSL_CERT_FILE to the file with the certificate"
            " authority that signed it."
        )
    return local_problem(
        "certificate_not_trusted",
        "The Jupyter server's certificate can't be verified",
        detail=detail,
        hint=hint,
        exit_code=ExitCode.FAILED,
    )


def _what_it_lacks(path: str) -> str:
    if not os.access(path, os.R_OK):
        return "which can't be read"
    return "which does not contain this server's certificate"


def _words(reason: object) -> str:
    """Return the reason in words, without the brackets and numbers of an OSError."""
    if isinstance(reason, OSError) and reason.strerror:
        # An error of TLS has a name in `reason`, and a line of C in `strerror`.
        text = str(getattr(reason, "reason", None) or reason.strerror).replace("_", " ")
        return text.lower() if text.isupper() else text[:1].lower() + text[1:]
    # http.client has no code for this, and quotes the proxy's own words after it.
    if refused := re.match(r"Tunnel connection failed: (\d{3})", str(reason)):
        return f"the proxy refused, with status {refused[1]}"
    if isinstance(reason, Exception):
        return type(reason).__name__
    return "the proxy's URL can't be used"  # urllib's own text quotes that URL
