"""Token source `command`, with real programs."""

import asyncio
import os
import sys
import textwrap
import time
from pathlib import Path

import pytest
from traitlets import TraitError

from jupyter_wb_aws.errors import SignInRequired, TokenInvalid, TokenSourceFailed
from jupyter_wb_aws.identity.command_source import CommandTokenSource
from jupyter_wb_aws.identity.source import TokenRequest
from tests.conftest import NOON, make_jwt

TOKEN = make_jwt()


@pytest.fixture
def program(tmp_path, clock):
    """Build a source that runs the given lines of Python, or of sh."""

    def build(lines, *, shell=False, **settings):
        file = tmp_path / "program"
        file.write_text(textwrap.dedent(lines))
        command = ["sh", str(file)] if shell else [sys.executable, "-IS", str(file)]
        source = CommandTokenSource(command=command, **settings)
        source.clock = clock
        return source

    return build


async def gone(pid: int) -> bool:
    """Wait a moment for a process that was killed; a zombie counts as gone."""
    for _ in range(200):
        try:
            status = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True
        if status.rpartition(")")[2].split()[0] == "Z":
            return True
        await asyncio.sleep(0.01)
    return False


async def pid_in(file: Path) -> int:
    while not (file.exists() and file.read_text().endswith("\n")):
        await asyncio.sleep(0.01)
    return int(file.read_text())


async def test_a_printed_token_is_accepted(program):
    token = await program(f"print({TOKEN!r})").fetch(TokenRequest())
    assert token.reveal() == TOKEN
    assert token.received_at == NOON


async def test_blanks_around_the_token_are_ignored(program):
    token = await program(f"printf '  %s \\r\\n\\n' {TOKEN}", shell=True).fetch(TokenRequest())
    assert token.reveal() == TOKEN


async def test_a_byte_order_mark_before_the_token_is_ignored(program):
    token = await program(f"print('\\ufeff' + {TOKEN!r})").fetch(TokenRequest())
    assert token.reveal() == TOKEN


async def test_a_token_followed_by_a_sentence_is_refused(program):
    with pytest.raises(TokenInvalid):
        await program(f"print({TOKEN!r}); print('Signed in.')").fetch(TokenRequest())


async def test_a_failing_program_is_reported_with_its_last_words(program):
    source = program("echo working...; echo 'no network today' >&2; exit 3", shell=True)
    with pytest.raises(TokenSourceFailed) as failed:
        await source.fetch(TokenRequest())
    assert "status 3" in failed.value.detail
    assert "no network today" in failed.value.detail
    assert "working" not in failed.value.detail


async def test_a_token_of_a_program_that_then_failed_is_not_used(program):
    with pytest.raises(TokenSourceFailed):
        await program(f"echo {TOKEN}; exit 1", shell=True).fetch(TokenRequest())


async def test_a_program_killed_by_a_signal_is_reported(program):
    with pytest.raises(TokenSourceFailed, match="signal 9"):
        await program("kill -9 $$", shell=True).fetch(TokenRequest())


async def test_status_77_means_that_the_user_must_sign_in(program):
    source = program("echo 'run: company-sso login' >&2; exit 77", shell=True)
    with pytest.raises(SignInRequired, match="company-sso login"):
        await source.fetch(TokenRequest())


async def test_a_program_that_prints_nothing_is_reported(program):
    with pytest.raises(TokenSourceFailed, match="printed nothing"):
        await program("true", shell=True).fetch(TokenRequest())


async def test_a_missing_program_is_named():
    with pytest.raises(TokenSourceFailed, match="/no/such/program.*No such file"):
        await CommandTokenSource(command=["/no/such/program"]).fetch(TokenRequest())


async def test_a_program_that_may_not_be_executed_is_named(tmp_path):
    file = tmp_path / "get-token"
    file.write_text("#!/bin/sh\n")
    with pytest.raises(TokenSourceFailed, match="get-token.*Permission denied"):
        await CommandTokenSource(command=[str(file)]).fetch(TokenRequest())


async def test_an_impossible_argument_or_variable_is_a_failure_of_the_source():
    with pytest.raises(TokenSourceFailed, match="can't be started"):
        await CommandTokenSource(command=["echo", "a\0b"]).fetch(TokenRequest())
    with pytest.raises(TokenSourceFailed, match="can't be started"):
        await CommandTokenSource(command=["true"], environment={"A=B": "c"}).fetch(TokenRequest())


async def test_the_program_does_not_run_in_the_notebooks_folder(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = program("pwd >&2; exit 77", shell=True)
    with pytest.raises(SignInRequired, match=r" /$"):
        await said.fetch(TokenRequest())


async def test_no_program_or_module_of_the_notebooks_folder_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    planted = tmp_path / "get-token"
    planted.write_text(f"#!/bin/sh\necho {TOKEN}\n")
    planted.chmod(0o755)
    (tmp_path / "token_module.py").write_text(f"print({TOKEN!r})")
    monkeypatch.setenv("PATH", f".:{tmp_path.name}::{os.environ['PATH']}")
    for command in (["get-token"], [sys.executable, "-m", "token_module"]):
        with pytest.raises(TokenSourceFailed):
            await CommandTokenSource(command=command).fetch(TokenRequest())


async def test_a_relative_path_is_named_as_the_reason(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "get-token").write_text("#!/bin/sh\n")
    with pytest.raises(TokenSourceFailed, match="path is relative, but it runs in the folder /"):
        await CommandTokenSource(command=["./get-token"]).fetch(TokenRequest())


async def test_a_program_is_found_in_path(tmp_path, monkeypatch):
    found = tmp_path / "get-token"
    found.write_text(f"#!/bin/sh\necho {TOKEN}\n")
    found.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    token = await CommandTokenSource(command=["get-token"]).fetch(TokenRequest())
    assert token.reveal() == TOKEN


async def test_no_shell_reads_the_arguments(tmp_path):
    command = ["echo", f"$(touch {tmp_path}/pwned)", ";", "touch", f"{tmp_path}/pwned"]
    with pytest.raises(TokenInvalid):
        await CommandTokenSource(command=command).fetch(TokenRequest())
    assert list(tmp_path.iterdir()) == []


async def test_a_hanging_program_and_its_children_are_ended(program, tmp_path):
    source = program(
        f"sleep 1000 & echo $! > {tmp_path}/pid; wait",
        shell=True,
        timeout=0.3,
    )
    with pytest.raises(TokenSourceFailed, match=r"within 0\.3 s"):
        await source.fetch(TokenRequest())
    assert await gone(await pid_in(tmp_path / "pid"))


async def test_a_program_that_ignores_sigterm_is_ended(program):
    source = program("trap '' TERM INT HUP; sleep 1000", shell=True, timeout=0.2)
    with pytest.raises(TokenSourceFailed, match="did not finish"):
        await source.fetch(TokenRequest())


async def test_children_of_a_finished_program_are_ended(program, tmp_path):
    source = program(
        f"sleep 1000 >/dev/null 2>&1 & echo $! > {tmp_path}/pid; echo {TOKEN}", shell=True
    )
    assert (await source.fetch(TokenRequest())).reveal() == TOKEN
    assert await gone(await pid_in(tmp_path / "pid"))


async def test_a_daemon_that_holds_the_pipes_does_not_hang_us(program, tmp_path):
    source = program(
        f"setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 20' & echo {TOKEN}",
        shell=True,
        timeout=0.5,
    )
    started = time.monotonic()
    with pytest.raises(TokenSourceFailed, match="did not finish"):
        await source.fetch(TokenRequest())
    assert time.monotonic() - started < 5
    daemon = await pid_in(tmp_path / "pid")
    held = {Path(f"/proc/{daemon}/fd/{number}").readlink() for number in (1, 2)}
    await asyncio.sleep(0)  # asyncio closes pipes in the loop's next turn
    ours = {entry.readlink() for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}
    os.kill(daemon, 9)
    assert held
    assert not held & ours


async def test_a_caller_that_hangs_up_ends_the_program(program, tmp_path):
    source = program(f"echo $$ > {tmp_path}/pid; exec sleep 1000", shell=True)
    fetch = asyncio.create_task(source.fetch(TokenRequest()))
    pid = await pid_in(tmp_path / "pid")
    fetch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetch
    assert await gone(pid)


async def test_a_program_that_prints_for_ever_is_ended(program):
    started = time.monotonic()
    with pytest.raises(TokenSourceFailed, match="more than 65536 characters"):
        await program("exec yes", shell=True).fetch(TokenRequest())
    assert time.monotonic() - started < 5


async def test_for_a_token_that_is_too_long_for_aws_the_largest_claim_is_named(program):
    token = make_jwt(groups=["team"] * 3000)
    with pytest.raises(TokenInvalid, match=f"{len(token)} characters") as refused:
        await program(f"print({token!r})").fetch(TokenRequest())
    assert "`groups`" in refused.value.admin_hint


async def test_a_program_that_complains_for_ever_is_ended(program):
    with pytest.raises(TokenSourceFailed, match="did not finish"):
        await program("exec yes >&2", shell=True, timeout=0.3).fetch(TokenRequest())


async def test_a_program_with_many_messages_may_still_give_a_token(program):
    source = program(f"import sys; sys.stderr.write('debug ' * 100_000); print({TOKEN!r})")
    assert (await source.fetch(TokenRequest())).reveal() == TOKEN


@pytest.mark.parametrize("much", [0, 65_536 - 200, 65_536 + 10])
async def test_no_token_on_standard_error_is_shown(program, much):
    source = program(f"import sys; sys.stderr.write({TOKEN!r} + ' x' * {much // 2}); sys.exit(1)")
    with pytest.raises(TokenSourceFailed) as failed:
        await source.fetch(TokenRequest())
    assert not any(piece in str(failed.value.as_problem()) for piece in TOKEN.split("."))


async def test_standard_error_is_shown_as_one_short_line(program):
    source = program(r"printf 'a\033[31m\nb\377%0900d' 7 | sed 's/0/0 /g' >&2; exit 1", shell=True)
    with pytest.raises(TokenSourceFailed) as failed:
        await source.fetch(TokenRequest())
    assert failed.value.detail.isprintable()
    assert len(failed.value.detail) < 700


async def test_the_environment_has_no_secrets(program, monkeypatch, tmp_path):
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "JPY_API_TOKEN", "JUPYTERHUB_API_TOKEN"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    source = program(
        f"/usr/bin/env > {tmp_path}/environment; echo {TOKEN}",
        shell=True,
        environment={"COMPANY_TENANT": "42"},
    )
    await source.fetch(TokenRequest(audience="sts.amazonaws.com"))
    lines = dict(line.split("=", 1) for line in (tmp_path / "environment").read_text().splitlines())
    assert lines["HOME"] == str(tmp_path)
    assert (lines["LC_ALL"], lines["COMPANY_TENANT"]) == ("C.UTF-8", "42")
    assert lines["JUPYTER_WB_AWS_AUDIENCE"] == "sts.amazonaws.com"
    assert "secret" not in lines.values()
    assert not any(name.startswith(("AWS_", "JPY", "LD_")) for name in lines)


async def test_the_program_gets_the_sources_audience_if_no_other_is_asked_for(program, tmp_path):
    source = program(
        f'echo "$JUPYTER_WB_AWS_AUDIENCE" > {tmp_path}/aud; echo {TOKEN}', shell=True, audience="wb"
    )
    await source.fetch(TokenRequest())
    assert (tmp_path / "aud").read_text() == "wb\n"


async def test_the_program_gets_no_input(program):
    source = program(f"read line && exit 5; echo {TOKEN}", shell=True)
    assert (await source.fetch(TokenRequest())).reveal() == TOKEN


async def test_the_event_loop_runs_on_while_the_program_works(program):
    source = program(f"sleep 0.2; echo {TOKEN}", shell=True)
    fetch = asyncio.create_task(source.fetch(TokenRequest()))
    turns = 0
    while not fetch.done():
        turns += 1
        await asyncio.sleep(0.01)
    assert turns > 5


def test_a_source_without_a_command_names_the_setting():
    assert CommandTokenSource().missing_setting() == "CommandTokenSource.command"
    assert CommandTokenSource(command=["true"]).missing_setting() is None


@pytest.mark.parametrize("timeout", [0, -1, 31, "soon"])
def test_a_timeout_beyond_the_limit_is_refused(timeout):
    with pytest.raises(TraitError, match="timeout"):
        CommandTokenSource(timeout=timeout)


def test_a_command_in_one_text_is_refused_since_no_shell_splits_it():
    with pytest.raises(TraitError, match="must be a list"):
        CommandTokenSource(command=["get-token --for aws"])


@pytest.mark.parametrize(
    ("environment", "said", "shown"),
    [
        ({"CLIENT_SECRET": "Winter 2026+x"}, "bad: Winter 2026+x", "bad: <secret>"),
        ({"CLIENT_SECRET": "Winter 2026+x"}, "bad: Winter%202026%2Bx", "bad: <secret>"),
        ({"IDP_PASSWORD": "abc"}, "the password abc is wrong", ""),
        ({"IDP_APIKEY": "abc"}, "the key abc is wrong", ""),
        ({"IDP_PIN": "1234"}, "the number 1234 is wrong", ""),
        ({"KEYCLOAK_REALM": "prod"}, "no realm prod", "no realm prod"),
        ({"IDP_URL": "https://idp.example.com"}, "no https://idp.example.com", "https://idp.example.com"),
    ],
)  # fmt: skip
async def test_a_message_does_not_show_the_secrets_that_the_program_was_given(
    program, environment, said, shown
):
    source = program(
        f"import sys; sys.stderr.write({said!r}); sys.exit(1)", environment=environment
    )
    with pytest.raises(TokenSourceFailed) as failed:
        await source.fetch(TokenRequest())
    assert failed.value.detail.endswith(shown)
    values = [
        value for name, value in environment.items() if name not in ("IDP_URL", "KEYCLOAK_REALM")
    ]
    assert not [value for value in values if value in failed.value.detail]


async def test_a_message_does_not_show_the_token_that_the_program_printed(program):
    token = "opaque.token/of-the-command"
    program = program(
        f"import sys; print({token!r}); sys.stderr.write('opaque.token%2Fof'); sys.exit(1)"
    )
    with pytest.raises(TokenSourceFailed) as failed:
        await program.fetch(TokenRequest())
    assert failed.value.detail.endswith("says: <secret>")


async def test_a_message_does_not_show_a_proxys_password(program, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://svc:Winter2026#x@127.0.0.1:9")
    source = program(
        "import os, sys; sys.stderr.write('bad ' + os.environ['HTTPS_PROXY']); sys.exit(1)"
    )
    with pytest.raises(TokenSourceFailed) as failed:
        await source.fetch(TokenRequest())
    assert "Winter2026" not in failed.value.detail
