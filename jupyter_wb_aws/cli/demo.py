"""`jupyter wb-aws demo`: JupyterLab or JupyterHub with the extension, and a local AWS."""

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
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

    from jupyter_wb_aws.demo.issuer import Issuer
    from jupyter_wb_aws.demo.jupyter_process import JupyterProcess
    from jupyter_wb_aws.demo.lab import LabOptions

    _Started = tuple[JupyterProcess, str, str]
    """What was started, its address for the browser, and what the terminal shows of it."""

_USAGE_ERROR = 2
FIRST_PORT = 8888
_PORTS_TRIED = 50
_START_TIMEOUT = 90.0
_POLL_INTERVAL = 0.2
_LEAST_LIFETIME_ON_HUB = 10
REQUIRED_MODULES = ("moto", "flask", "jupyterlab", "matplotlib", "awscli", "pandas", "pyarrow")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--no-browser", action="store_true", help="don't open a browser")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--hub",
        action="store_true",
        help="start a JupyterHub with two users, alice and bob, whose roles and tokens come from a"
        " service of the hub",
    )
    kind.add_argument(
        "--sign-in",
        action="store_true",
        help="start signed out, and sign in as alice or bob; there are no passwords, so every user"
        " of this machine can do so",
    )
    parser.add_argument(
        "--port",
        type=_port,
        help=f"port of JupyterLab or the hub (default: {FIRST_PORT} or the next free one)",
    )
    parser.add_argument(
        "--token",
        type=_token,
        help="token that lets you in (default: a random one); other users of this machine can read"
        " it in the output of `ps`",
    )
    parser.add_argument(
        "--token-lifetime",
        type=_at_least(2),
        default=900,
        metavar="SECONDS",
        help="life of the web identity tokens (default: 900, at least 2; with --hub, at least"
        f" {_LEAST_LIFETIME_ON_HUB})",
    )
    parser.add_argument(
        "--credential-lifetime",
        type=_at_least(1),
        metavar="SECONDS",
        help="life of the AWS credentials (default: as requested, usually 3600)",
    )
    parser.add_argument("--verbose", action="store_true", help="show the log")


def run(args: argparse.Namespace) -> int:
    """Run the demo until Ctrl-C, and return the exit code."""
    missing = [name for name in REQUIRED_MODULES if importlib.util.find_spec(name) is None]
    if missing:
        _complain(
            f"The demo needs packages that are not installed ({', '.join(missing)}). "
            "In a checkout of jupyter_wb_aws, `make demo` installs them."
        )
        return _USAGE_ERROR
    port = args.port or next_free_port()
    if port is None or not _is_free(port):
        _complain(
            f"Port {port or FIRST_PORT} is in use, or you may not open it. Stop the program that uses "
            "it (perhaps another demo), or choose another port: --port 8899"
        )
        return _USAGE_ERROR
    problem = _hub_problem(args) if args.hub else _folder_problem()
    if problem:
        _complain(problem)
        return _USAGE_ERROR
    with (
        _stop_signals() as stop,
        tempfile.TemporaryDirectory(prefix="jupyter-wb-aws-", ignore_cleanup_errors=True) as folder,
    ):
        return _run_in(Path(folder), args, port, stop)


def _folder_problem() -> str | None:
    """Make the folder for notebooks; return a sentence if that fails."""
    try:
        _notebooks().mkdir(exist_ok=True)
    except OSError as error:
        return (
            f"{_notebooks()}, the folder for your notebooks, can't be created ({error.strerror}). "
            "Run the demo in a folder that you can write to."
        )
    return None


def _notebooks() -> Path:
    return Path.cwd() / ".demo"


def _hub_problem(args: argparse.Namespace) -> str | None:
    """Return a sentence about what prevents a hub, if anything does."""
    from jupyter_wb_aws.demo.hub.missing import missing

    if args.token_lifetime < _LEAST_LIFETIME_ON_HUB:
        return f"With --hub, tokens live at least {_LEAST_LIFETIME_ON_HUB} seconds."
    return missing(Path(sys.prefix), os.environ.get("PATH", ""))


def _run_in(state: Path, args: argparse.Namespace, port: int, stop: threading.Event) -> int:
    ambient = dict(os.environ)
    for name in ambient:
        # moto fails on a profile that does not exist, and needs none of the others.
        if name.startswith("AWS_"):
            del os.environ[name]
    start = _start_hub if args.hub else _start_lab
    with start(state, args, port, ambient) as (process, url, text):
        try:
            browser = None if args.no_browser else state
            return _wait(process, url, text, stop, browser)
        finally:
            _print_now("\nStopping ...")
            process.end()
            _print_now("Stopped.")


# Here and below, moto and others are imported where they are needed: `jupyter wb-aws --help` needs
# none of them.
@contextlib.contextmanager
def _start_lab(
    state: Path, args: argparse.Namespace, port: int, ambient: Mapping[str, str]
) -> Iterator[_Started]:
    from jupyter_wb_aws.demo.lab import Lab, LabOptions, prepare
    from jupyter_wb_aws.demo.local_aws import LocalAws

    _print_now("Starting JupyterLab, an identity provider and a local AWS ...")
    with (
        start_identity_provider(state, args, port) as idp,
        LocalAws(idp.issuer, credential_lifetime=args.credential_lifetime) as aws,
    ):
        options = LabOptions(
            port=port,
            token=args.token or secrets.token_hex(24),
            root=_notebooks(),
            issuer=idp.issuer,
            aws_url=aws.url,
            ambient=ambient,
            sign_in=args.sign_in,
        )
        prepare(state, options)
        yield Lab(state, options, verbose=args.verbose), options.url, welcome(options)


@contextlib.contextmanager
def _start_hub(
    state: Path, args: argparse.Namespace, port: int, ambient: Mapping[str, str]
) -> Iterator[_Started]:
    from jupyter_wb_aws.demo.hub.running import Hub, HubOptions, prepare
    from jupyter_wb_aws.demo.hub.site import issuer
    from jupyter_wb_aws.demo.hub.welcome import welcome
    from jupyter_wb_aws.demo.local_aws import LocalAws
    from jupyter_wb_aws.demo.local_aws.seed import seed_for_hub

    _print_now("Starting JupyterHub, its service for AWS and a local AWS ...")
    lifetime = args.credential_lifetime
    with LocalAws(issuer(port), credential_lifetime=lifetime, contents=seed_for_hub) as aws:
        options = HubOptions(
            port=port,
            token=args.token or secrets.token_hex(24),
            aws_url=aws.url,
            ambient=ambient,
            token_lifetime=args.token_lifetime,
        )
        prepare(state, options)
        yield Hub(state, options, verbose=args.verbose), options.url, welcome(options)


def start_identity_provider(state: Path, args: argparse.Namespace, port: int) -> Issuer:
    """Start the identity provider that the options ask for.

    Args:
        state: the run's state folder.
        args: the command's options.
        port: the port of JupyterLab.
    """
    if args.sign_in:
        from jupyter_wb_aws.demo.names import redirect_uri
        from jupyter_wb_aws.demo.sign_in import SignInProvider

        return SignInProvider(redirect_uri(port), token_lifetime=args.token_lifetime)
    from jupyter_wb_aws.demo.identity_provider import IdentityProvider
    from jupyter_wb_aws.demo.lab import client_file

    idp = IdentityProvider(token_lifetime=args.token_lifetime)
    idp.write_client_file(client_file(state))
    return idp


def _wait(
    process: JupyterProcess, url: str, text: str, stop: threading.Event, browser: Path | None
) -> int:
    """Wait until the server answers, show how to use it, and wait for its end."""
    deadline = time.monotonic() + _START_TIMEOUT
    while not process.answers():
        if process.exit_code is not None or time.monotonic() > deadline:
            _complain(
                f"{process.name} did not start. Its log ends with:\n\n"
                f"{process.log_tail()}\n\n`--verbose` shows all of it."
            )
            return 1
        if stop.wait(_POLL_INTERVAL):
            return 0
    _print_now(text)
    if browser is not None:
        _open_browser(browser, url)
    while not stop.wait(_POLL_INTERVAL):
        if process.exit_code is not None:
            # Zero: "Shut Down" in JupyterLab's File menu.
            if process.exit_code != 0:
                tail = process.log_tail()
                _complain(f"{process.name} ended by itself. Its log ends with:\n\n{tail}")
            return 1 if process.exit_code else 0
    return 0


def welcome(options: LabOptions) -> str:
    """Return what the terminal shows when JupyterLab is ready."""
    begin = _SIGN_IN_FIRST if options.sign_in else _SIGNED_IN
    return (begin + _WELCOME).format(
        url=options.url, sign_in_url=options.sign_in_url, folder=options.root
    )


_SIGNED_IN = """
JupyterLab is ready. You are signed in to the demo's identity provider as alice.

  Open this in a browser:

      {url}

  Under "AWS role", pick Analyst. Then open the sample notebook, aws-in-a-notebook.ipynb, from
  the list of files on the left, and follow it. It has the role from the start.
"""
_SIGN_IN_FIRST = """
JupyterLab is ready. Nobody is signed in yet.

  Open this in a browser:

      {url}

  Under "AWS role", press "Sign in…". There are two other ways to sign in: this command in a
  terminal of JupyterLab (File > New > Terminal), or this address in a browser:

      jupyter wb-aws sign-in
      {sign_in_url}

  You choose who you are: alice may use analyst and auditor, bob may use auditor and finance-admin.
  There are no passwords. While the demo runs, every user of this machine can sign in to the
  demo's identity provider as either of them, and use the demo's AWS.

  Then pick Analyst (as bob: Auditor), and open the sample notebook, aws-in-a-notebook.ipynb,
  from the list of files on the left. It is written for alice.
"""
_WELCOME = """
  Notebooks, consoles and terminals that you start from then on have the role. Those that already
  run keep the role that they have; the toolbar of a notebook shows it and switches it. Pick
  Misconfigured to see how a failure is explained. In a new terminal (File > New > Terminal), try:

      aws sts get-caller-identity
      aws s3 ls s3://colorado-projects/
      jupyter wb-aws status

  (`jupyter wb-aws` finds this server only in JupyterLab's terminals.)

  Your notebooks stay in {folder}. Everything else (the bucket,
  the home folder of the terminals) is new each time.
  No AWS account is involved, and nothing leaves this machine.
  Press Ctrl-C here to stop everything.
"""


@contextlib.contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C, `kill` and a closed terminal set."""
    stop = threading.Event()

    def handle(_signum: int, _frame: FrameType | None) -> None:
        stop.set()

    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        # It is ignored under `nohup`: then the demo should outlive the terminal.
        signals.append(signal.SIGHUP)
    before = [signal.signal(signum, handle) for signum in signals]
    try:
        yield stop
    finally:
        for signum, handler in zip(signals, before, strict=True):
            signal.signal(signum, handler)


def _open_browser(state: Path, url: str) -> None:
    """Open the browser through a private file, since everybody can read a command line."""
    from jupyter_wb_aws.demo.private_file import write_private

    page = state / "open.html"
    write_private(
        page, f'<meta http-equiv="refresh" content="0; url={url}"><a href="{url}">Open</a>'
    )
    # In a thread, because a browser in the terminal does not return.
    threading.Thread(target=webbrowser.open, args=(page.as_uri(),), daemon=True).start()


def _is_free(port: int) -> bool:
    """Return whether a server can listen at `port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    # SO_REUSEADDR may let two servers listen (macOS, a server at 0.0.0.0). Then one answers.
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def next_free_port() -> int | None:
    """Return the first free port from `FIRST_PORT` on, or None if none of them is."""
    candidates = range(FIRST_PORT, FIRST_PORT + _PORTS_TRIED)
    return next((port for port in candidates if _is_free(port)), None)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give a number from 1 to 65535")
    return int(text)


def _token(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(
            "give a token of printable ASCII characters, without blanks (an empty one would let "
            "everybody in)"
        )
    return text


def _at_least(least: int) -> Callable[[str], int]:
    def seconds(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a valid time; give whole seconds, at least {least}"
            )
        return int(text)

    return seconds


def _print_now(text: str) -> None:
    # The terminal may be gone (SIGHUP), and we must still clean up.
    with contextlib.suppress(OSError):
        print(text, flush=True)


def _complain(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)
