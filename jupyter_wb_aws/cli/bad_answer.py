"""What it means when the server gives no answer of the REST contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_wb_aws.cli.failure import CliError, ExitCode, local_problem

if TYPE_CHECKING:
    import ssl


def without_problem(url: str, status: int) -> CliError:
    """Explain an error status whose body is not ours: Jupyter's own, or somebody's in between."""
    if status == 404:
        return _no_extension(url)
    if status in {401, 403}:
        return _not_let_in(url)
    return unreadable(url, status)


def has_no_token(url: str) -> CliError:
    """Explain a server that lets in by a password, or another log-in, only."""
    return local_problem(
        "no_token",
        "This Jupyter server can't be asked",
        detail=f"The Jupyter server at {url} has a password or another log-in and no token, and"
        " only a token lets a command in.",
        hint="Use JupyterLab, or start the server with a token: `--IdentityProvider.token=…`.",
        exit_code=ExitCode.CANNOT_ASK,
    )


def unreadable(url: str, status: int) -> CliError:
    """Explain a body that is no JSON, or a redirect (which is never followed)."""
    return local_problem(
        "answer_unreadable",
        "The answer makes no sense",
        detail=f"{url} answered, with status {status}, something that jupyter_wb_aws does not say.",
        hint="Look in the server's log; check that no proxy or log-in page stands in between.",
        exit_code=ExitCode.FAILED,
    )


def unreachable(url: str, error: Exception, timeout: float) -> CliError:
    """Explain why no answer came."""
    import ssl
    import urllib.error

    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return _certificate_not_trusted(url, reason)
    if isinstance(reason, TimeoutError):
        why = f"did not answer within {timeout:g} seconds"
    else:
        why = f"can't be reached ({_words(reason)})"
    return local_problem(
        "server_unreachable",
        "The Jupyter server can't be reached",
        detail=f"The Jupyter server at {url} {why}.",
        hint="Check that it still runs; its log may say more.",
        exit_code=ExitCode.FAILED,
    )


def _no_extension(url: str) -> CliError:
    return local_problem(
        "not_enabled",
        "This Jupyter server does not offer AWS roles",
        detail=f"The Jupyter server at {url} runs without jupyter_wb_aws.",
        hint="Install jupyter_wb_aws in that server's own environment and restart the server;"
        " `jupyter server extension list` shows whether it is enabled.",
        exit_code=ExitCode.NOT_SET_UP,
    )


def _not_let_in(url: str) -> CliError:
    return local_problem(
        "not_authenticated",
        "The Jupyter server did not let this command in",
        detail=f"The Jupyter server at {url} did not accept this command's token for it.",
        hint="Open a new terminal in JupyterLab and run the command there.",
        exit_code=ExitCode.FAILED,
    )


def _certificate_not_trusted(url: str, reason: ssl.SSLCertVerificationError) -> CliError:
    return local_problem(
        "certificate_not_trusted",
        "The Jupyter server's certificate can't be verified",
        detail=f"The certificate of {url} can't be verified: {reason.verify_message}.",
        hint="If it is a certificate that your site or you made (ServerApp.certfile), trust it for"
        " this command: set SSL_CERT_FILE to that file.",
        exit_code=ExitCode.FAILED,
    )


def _words(reason: object) -> str:
    """Say in words why, without the brackets and numbers of an OSError."""
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror[:1].lower() + reason.strerror[1:]
    return type(reason).__name__ if isinstance(reason, Exception) else str(reason)
