"""`jupyter wb-aws demo`: JupyterLab with the extension, an identity provider and a local AWS."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
import time
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from jupyter_wb_aws.demo.issuer import Issuer
    from jupyter_wb_aws.demo.lab import Lab, LabOptions

_USAGE_ERROR = 2
_FIRST_PORT = 8888
_PORTS_TRIED = 50
_START_TIMEOUT = 90.0
_POLL = 0.2
_NEEDED = ("moto", "flask", "jupyterlab", "matplotlib", "awscli")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--no-browser", action="store_true", help="don't open a browser")
    parser.add_argument(
        "--sign-in",
        action="store_true",
        help="start signed out, to sign in as alice or bob; without a password, so that every user"
        " of this machine can",
    )
    parser.add_argument(
        "--port",
        type=_port,
        help=f"port of JupyterLab (default: {_FIRST_PORT} or the next free one)",
    )
    parser.add_argument(
        "--token",
        type=_token,
        help="token that lets you into JupyterLab (default: a random one); given here, it stands in"
        " `ps` for other users of this machine to read",
    )
    parser.add_argument(
        "--token-lifetime",
        type=_at_least(2),
        default=900,
        metavar="SECONDS",
        help="life of the web identity tokens (default: 900, at least 2)",
    )
    parser.add_argument(
        "--credential-lifetime",
        type=_at_least(1),
        metavar="SECONDS",
        help="life of the AWS credentials (default: what is asked for, mostly 3600)",
    )
    parser.add_argument("--verbose", action="store_true", help="show JupyterLab's log")


def run(args: argparse.Namespace) -> int:
    """Run the demo until Ctrl-C; return the exit code."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        _complain(
            f"The demo needs packages that are not installed ({', '.join(missing)}). "
            "In a checkout of jupyter_wb_aws, `make demo` installs them."
        )
        return _USAGE_ERROR
    port = args.port or _next_free_port()
    if port is None or not _is_free(port):
        _complain(
            f"Port {port or _FIRST_PORT} is in use or not yours to open. Stop what runs there "
            "(perhaps another demo), or choose another port: --port 8899"
        )
        return _USAGE_ERROR
    root = Path.cwd() / ".demo"
    try:
        root.mkdir(exist_ok=True)
    except OSError as error:
        _complain(
            f"Your notebooks can't be kept in {root} ({error.strerror}). "
            "Run the demo in a folder that you may write to."
        )
        return _USAGE_ERROR
    with (
        _stop_signals() as stop,
        tempfile.TemporaryDirectory(prefix="jupyter-wb-aws-", ignore_cleanup_errors=True) as folder,
    ):
        return _run_in(Path(folder), root, args, port, stop)


def _run_in(
    state: Path, root: Path, args: argparse.Namespace, port: int, stop: threading.Event
) -> int:
    ambient = dict(os.environ)
    for name in ambient:
        # moto itself stumbles over a profile that does not exist, and has no use for the others.
        if name.startswith("AWS_"):
            del os.environ[name]
    # Imported here so that `jupyter wb-aws --help` need not load moto.
    from jupyter_wb_aws.demo.lab import Lab, LabOptions, prepare
    from jupyter_wb_aws.demo.local_aws import LocalAws

    _say("Starting JupyterLab, an identity provider and a local AWS ...")
    with (
        _identity_provider(state, args, port) as idp,
        LocalAws(idp.issuer, credential_lifetime=args.credential_lifetime) as aws,
    ):
        options = LabOptions(
            port=port,
            token=args.token or secrets.token_hex(24),
            root=root,
            issuer=idp.issuer,
            aws_url=aws.url,
            ambient=ambient,
            sign_in=args.sign_in,
        )
        prepare(state, options)
        lab = Lab(state, options, verbose=args.verbose)
        try:
            return _attend(lab, options, stop, browser=None if args.no_browser else state)
        finally:
            _say("\nStopping ...")
            lab.end()
            _say("Stopped.")


def _identity_provider(state: Path, args: argparse.Namespace, port: int) -> Issuer:
    if args.sign_in:
        from jupyter_wb_aws.demo.names import redirect_uri
        from jupyter_wb_aws.demo.sign_in import SignInProvider

        return SignInProvider(redirect_uri(port), token_lifetime=args.token_lifetime)
    from jupyter_wb_aws.demo.identity_provider import IdentityProvider
    from jupyter_wb_aws.demo.lab import client_file

    idp = IdentityProvider(token_lifetime=args.token_lifetime)
    idp.write_client_file(client_file(state))
    return idp


def _attend(lab: Lab, options: LabOptions, stop: threading.Event, browser: Path | None) -> int:
    """Wait until the server answers, say so, and wait until somebody wants an end."""
    deadline = time.monotonic() + _START_TIMEOUT
    while not lab.answers():
        if lab.exit_code is not None or time.monotonic() > deadline:
            _complain(
                "JupyterLab did not start. Its log ends with:\n\n"
                f"{lab.log_tail()}\n\n`--verbose` shows all of it."
            )
            return 1
        if stop.wait(_POLL):
            return 0
    _say(_welcome(options))
    if browser is not None:
        _open_browser(browser, options.url)
    while not stop.wait(_POLL):
        if lab.exit_code is not None:
            # Zero: "Shut Down" in JupyterLab's File menu.
            if lab.exit_code != 0:
                _complain(f"JupyterLab ended by itself. Its log ends with:\n\n{lab.log_tail()}")
            return 1 if lab.exit_code else 0
    return 0


def _welcome(options: LabOptions) -> str:
    begin = _SIGN_IN_FIRST if options.sign_in else _SIGNED_IN
    return (begin + _WELCOME).format(
        url=options.url, sign_in_url=options.sign_in_url, folder=options.root
    )


_SIGNED_IN = """
JupyterLab is ready. You are signed in to the demo's identity provider as alice.

  Open this in a browser:

      {url}

  Under "AWS role", pick Analyst. Then open the sample notebook, aws-in-a-notebook.ipynb, from
  the list of files on the left, and follow it. It has the role from its first moment.
"""
_SIGN_IN_FIRST = """
JupyterLab is ready. Nobody is signed in yet.

  Open this in a browser:

      {url}

  Under "AWS role", press "Sign in…". Two other ways, the first in a terminal of JupyterLab
  (File > New > Terminal):

      jupyter wb-aws sign-in
      {sign_in_url}

  You choose who you are: alice may use analyst and auditor, bob may use auditor and finance-admin.
  There are no passwords: every user of this machine can sign in to the demo's identity
  provider as either of them, and use what is in the demo's AWS, while the demo runs.

  After that, pick Analyst (as bob: Auditor), and open the sample notebook,
  aws-in-a-notebook.ipynb, from the list of files on the left. It is written for alice.
"""
_WELCOME = """
  What you start after you picked a role has it: a notebook, a console, a terminal. What runs
  already keeps what it has; a notebook's toolbar says which, and switches it. Pick
  Misconfigured to see how a failure is explained. In a terminal that you open then (File > New >
  Terminal):

      aws sts get-caller-identity
      aws s3 ls s3://colorado-projects/
      jupyter wb-aws status

  (`jupyter wb-aws` finds this server in JupyterLab's terminals only.)

  Your notebooks stay in {folder}; everything else (the bucket,
  the home folder of the terminals) is made anew each time.
  No AWS account is involved, and nothing leaves this machine.
  Ctrl-C here ends everything.
"""


@contextlib.contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C, `kill` and a closed terminal set, however often they come."""
    stop = threading.Event()

    def handle(_signum: int, _frame: FrameType | None) -> None:
        stop.set()

    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        # Ignored means `nohup`: somebody wants the demo to outlive the terminal.
        signals.append(signal.SIGHUP)
    before = [signal.signal(signum, handle) for signum in signals]
    try:
        yield stop
    finally:
        for signum, handler in zip(signals, before, strict=True):
            signal.signal(signum, handler)


def _open_browser(state: Path, url: str) -> None:
    """Open the browser by way of a private file: a command line could be read by everybody."""
    from jupyter_wb_aws.demo.private_file import write_private

    page = state / "open.html"
    write_private(
        page, f'<meta http-equiv="refresh" content="0; url={url}"><a href="{url}">Open</a>'
    )
    # In a thread, since a browser in the terminal would not return.
    threading.Thread(target=webbrowser.open, args=(page.as_uri(),), daemon=True).start()


def _is_free(port: int) -> bool:
    """Say whether a server may listen at `port` here."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    # Where SO_REUSEADDR lets two listen (macOS, a server at 0.0.0.0), somebody answers.
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _next_free_port() -> int | None:
    candidates = range(_FIRST_PORT, _FIRST_PORT + _PORTS_TRIED)
    return next((port for port in candidates if _is_free(port)), None)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number from 1 to 65535")
    return int(text)


def _token(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(
            "the token must be of printable ASCII characters, without blanks, and not empty "
            "(an empty one would let everybody in)"
        )
    return text


def _at_least(least: int) -> Callable[[str], int]:
    def seconds(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
            raise argparse.ArgumentTypeError(
                f"{text!r} is no such time; give whole seconds, at least {least}"
            )
        return int(text)

    return seconds


def _say(text: str) -> None:
    # The terminal may be gone (SIGHUP), and that must not keep us from cleaning up.
    with contextlib.suppress(OSError):
        print(text, flush=True)


def _complain(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)
