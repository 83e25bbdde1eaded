"""`exec ROLE -- COMMAND`: the command has the role, and nothing else of us is to be noticed."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.live import WB_AWS
from tests.site import ANALYST, AUDITOR
from tests.waiting import file_removed

WHO = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
DUMP = "import json, os; print(json.dumps(dict(os.environ)))"
HOSTILE = {
    "AWS_ACCESS_KEY_ID": "AKIAHOSTILE",
    "AWS_SECRET_ACCESS_KEY": "hostile",
    "AWS_PROFILE": "hostile",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9",
}


async def said(process, line):
    """Wait until it has printed a line."""
    async with asyncio.timeout(30):
        while (printed := (await process.stdout.readline()).decode()) != line:
            assert printed, (await process.stderr.read()).decode()


async def own_sessions(api):
    listed = (await api("GET", "/aws/sessions")).data["sessions"]
    return [session for session in listed if not session["shared"]]


async def no_own_session(api):
    async with asyncio.timeout(10):
        while await own_sessions(api):
            await asyncio.sleep(0.02)


# --- The role ----------------------------------------------------------------------------------------


async def test_the_command_calls_aws_as_the_role(api, wb_aws):
    auditor = await api.start(AUDITOR)

    ran = await wb_aws("exec", "analyst", "--", sys.executable, "-c", WHO, env=HOSTILE)

    assert ran.code == 0, ran.err
    assert ran.out.startswith("arn:aws:sts::111122223333:assumed-role/analyst/alice-")
    assert (await api("GET", "/aws/default")).data["session_id"] == auditor["id"]


async def test_its_role_session_is_its_own_and_lives_as_long_as_it(api, wb_aws):
    shared = await api.start(ANALYST)
    process = await wb_aws.begin("exec", "analyst", "--", "sh", "-c", "echo up; read wait")
    await said(process, "up\n")

    (own,) = await own_sessions(api)
    token_file = Path(own["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"])
    assert own["id"] != shared["id"]
    assert not own["default"]
    assert token_file.exists()

    await process.communicate(b"\n")
    await no_own_session(api)
    ended = (await api("GET", f"/aws/sessions/{own['id']}")).data
    assert ended["end_reason"] == "process_ended"
    await file_removed(token_file)
    assert [s["id"] for s in (await api("GET", "/aws/sessions")).data["sessions"]] == [shared["id"]]


async def test_without_anything_chosen_nothing_is_chosen(api, wb_aws):
    assert (await wb_aws("exec", ANALYST, "--", "true")).code == 0

    assert (await api("GET", "/aws/default")).data == {
        "session_id": None,
        "chosen": False,
        "ended": None,
    }


async def test_the_environment_is_that_of_the_role_without_what_would_win_over_it(api, wb_aws):
    session = await api.start(ANALYST)

    ran = await wb_aws("exec", "analyst", "--", sys.executable, "-c", DUMP, env=HOSTILE)

    own = {"AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE"}
    of_role = session["environment"]
    theirs = json.loads(ran.out)
    assert {name for name in theirs if name.startswith("AWS_")} == {
        n for n in of_role if n[:3] == "AWS"
    }
    assert {n: theirs[n] for n in of_role.keys() - own} == {
        n: of_role[n] for n in of_role.keys() - own
    }
    assert all(theirs[name] != of_role[name] for name in own)
    assert {n: theirs[n] for n in wb_aws.environment} == wb_aws.environment


async def test_what_another_role_has_set_is_taken_back(api, wb_aws):
    inner = [WB_AWS, "exec", AUDITOR, "--", sys.executable, "-c", DUMP]

    ran = await wb_aws("exec", ANALYST, "--region", "eu-west-1", "--", *inner)

    theirs = json.loads(ran.out)
    assert theirs["AWS_ROLE_ARN"] == AUDITOR
    assert theirs.get("AWS_REGION") != "eu-west-1"


async def test_a_region_can_be_named(api, wb_aws):
    ran = await wb_aws(
        "exec", "--region", "eu-west-1", "analyst", "--", "sh", "-c", "echo $AWS_REGION"
    )
    assert ran.out == "eu-west-1\n"


async def test_a_shadowed_home_does_not_win(api, wb_aws, monkeypatch, tmp_path):
    home = tmp_path / "home" / ".aws"
    home.mkdir()
    (home / "credentials").write_text(
        "[default]\naws_access_key_id = AKIA\naws_secret_access_key = x\n"
    )
    monkeypatch.setenv("HOME", str(home.parent))  # the server's, too

    ran = await wb_aws("exec", "analyst", "--", "sh", "-c", "cat $AWS_SHARED_CREDENTIALS_FILE")

    assert ran.out.startswith("# Stands in for your own file")
    assert ran.err == ""


async def test_the_commands_own_aws_file_that_overrides_the_role_is_reported(api, wb_aws, tmp_path):
    config = tmp_path / "mine"
    config.write_text("[default]\nrole_arn = arn:aws:iam::1:role/x\n")

    ran = await wb_aws("exec", "analyst", "--", "true", env={"AWS_CONFIG_FILE": str(config)})

    assert "will override this role" in ran.err
    assert str(config) in ran.err


# --- Exit codes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 2, 4, 77, 255])
async def test_the_exit_code_is_the_commands(wb_aws, code):
    assert (await wb_aws("exec", ANALYST, "--", "sh", "-c", f"exit {code}")).code == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
async def test_a_death_by_a_signal_is_the_commands(api, wb_aws, number):
    ran = await wb_aws("exec", ANALYST, "--", "sh", "-c", f"kill -{int(number)} $$")

    assert ran.code == -number
    await no_own_session(api)


async def test_a_command_that_is_not_found_is_127(api, wb_aws):
    for name in ("no-such-command", "./no-such-command", ""):
        ran = await wb_aws("exec", ANALYST, "--", name)
        assert (ran.code, ran.out) == (127, "")
        assert ran.err == f"jupyter wb-aws: The command “{name}” was not found.\n"
    await no_own_session(api)


async def test_a_command_that_cannot_be_executed_is_126(api, wb_aws, tmp_path):
    file = tmp_path / "data.txt"
    file.write_text("data")
    for path in (file, tmp_path):
        ran = await wb_aws("exec", ANALYST, "--", path)
        assert ran.code == 126
        assert "can't be executed: Permission denied." in ran.err
    await no_own_session(api)


async def test_an_entry_of_path_that_is_not_a_folder_is_passed_over(wb_aws, tmp_path):
    not_a_folder = tmp_path / "file"
    not_a_folder.write_text("")
    ran = await wb_aws("exec", ANALYST, "--", "nothing", env={"PATH": str(not_a_folder)})
    assert ran.code == 127


async def test_a_script_without_a_first_line_is_run_by_the_shell(wb_aws, tmp_path):
    script = tmp_path / "script"
    script.write_text('echo "$1-$AWS_ROLE_ARN"')
    script.chmod(0o755)

    assert (await wb_aws("exec", ANALYST, "--", script, "x")).out == f"x-{ANALYST}\n"


async def test_a_role_that_is_refused_runs_nothing(wb_aws, tmp_path):
    ran_at_all = tmp_path / "ran"
    for role, code in (("misconfigured", 1), ("nobody", 2)):
        assert (await wb_aws("exec", role, "--", "touch", ran_at_all)).code == code
    assert not ran_at_all.exists()


# --- Signals, the terminal, what is inherited --------------------------------------------------------------


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "USR1", "QUIT", "WINCH"])
async def test_a_signal_reaches_the_command(wb_aws, name):
    script = f"trap 'echo {name}; exit 5' {name}; echo up; while :; do sleep 0.05; done"
    process = await wb_aws.begin("exec", ANALYST, "--", "sh", "-c", script)
    await said(process, "up\n")

    process.send_signal(getattr(signal, f"SIG{name}"))

    await said(process, f"{name}\n")
    assert await process.wait() == 5


async def test_killed_without_a_word_its_role_session_ends(api, wb_aws):
    process = await wb_aws.begin("exec", ANALYST, "--", "sh", "-c", "echo up; read wait")
    await said(process, "up\n")
    (own,) = await own_sessions(api)

    process.kill()
    await process.wait()

    await no_own_session(api)
    await file_removed(own["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"])


async def test_it_is_the_same_process_from_first_to_last(wb_aws):
    process = await wb_aws.begin("exec", ANALYST, "--", "sh", "-c", "echo $$")
    out, _ = await process.communicate()
    assert int(out) == process.pid


def ignored_or_blocked(status):
    """The signals that a process ignores or blocks, of the standard ones: the C library has others."""
    masks = [int(line.split()[1], 16) for line in status.splitlines() if "Sig" in line]
    return [mask & (1 << 31) - 1 for mask in masks]


async def test_no_signal_is_ignored_or_blocked_and_no_file_is_open(wb_aws):
    ran = await wb_aws("exec", ANALYST, "--", "grep", "-E", "Sig(Ign|Blk)", "/proc/self/status")
    assert ignored_or_blocked(ran.out) == [0, 0]

    ran = await wb_aws("exec", ANALYST, "--", "ls", "/proc/self/fd")
    assert ran.out.split() == ["0", "1", "2", "3"]  # the last is the folder that ls reads


async def test_a_signal_that_was_ignored_stays_ignored(wb_aws):
    script = f"trap '' INT; exec {WB_AWS} exec {ANALYST} -- grep SigIgn /proc/self/status"
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", script, env=wb_aws.environment, stdout=subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert ignored_or_blocked(out.decode()) == [1 << (signal.SIGINT - 1)]


async def test_what_goes_in_and_out_is_untouched(wb_aws):
    process = await wb_aws.begin("exec", ANALYST, "--", "sh", "-c", "tee /dev/stderr")
    everything = bytes(range(256)) * 1000

    assert await process.communicate(everything) == (everything, everything)


@pytest.mark.parametrize(
    "words",
    [["--help"], ["-h", "--region", "x"], ["--", "--"], ["", "two words", "$HOME", "\udcff"]],
)
async def test_every_word_after_the_dashes_is_the_commands(wb_aws, words):
    ran = await wb_aws("exec", ANALYST, "--", "printf", r"[%s]", *words)
    shown = "".join(f"[{word}]" for word in words)
    assert (ran.code, ran.out) == (0, shown)


def in_a_terminal(environment):
    """Start an interactive shell that has a terminal of its own; return its process and our end."""
    ours, theirs = pty.openpty()
    shell = subprocess.Popen(
        ["setsid", "--ctty", "bash", "--norc", "-i"],
        env={**environment, "PS1": "$ ", "TERM": "dumb"},
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    return shell, ours


class Screen:
    """Types into a terminal, and waits for what it shows."""

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self._shown = ""

    async def types(self, text, until):
        os.write(self._descriptor, text.encode())
        async with asyncio.timeout(30):
            while until not in self._shown:
                some = await asyncio.to_thread(os.read, self._descriptor, 4096)
                self._shown += some.decode()
        before, _, self._shown = self._shown.partition(until)
        return before


# The signal may arrive while the print below is being flushed; a print within a print is an error.
WAITS = """
import os, signal, time
signal.signal(signal.SIGCONT, lambda *_: os.write(1, b"goes on\\n"))
signal.signal(signal.SIGINT, signal.SIG_DFL)
print("at", os.ttyname(0), flush=True)
time.sleep(600)
"""


async def test_in_a_terminal_job_control_is_as_without_us(api, wb_aws, tmp_path):
    (tmp_path / "waits").write_text(WAITS)
    shell, descriptor = in_a_terminal(wb_aws.environment)
    screen = Screen(descriptor)
    try:
        command = f"{WB_AWS} exec {ANALYST} -- {sys.executable} {tmp_path}/waits\r"
        await screen.types(command, until="at /dev/pts/")
        await screen.types("\x1a", until="Stopped")  # Ctrl-Z
        await screen.types("", until="$ ")
        assert len(await own_sessions(api)) == 1
        await screen.types("fg\r", until="goes on")
        await screen.types("\x03", until="$ ")  # Ctrl-C
        await screen.types("echo was $?,\r", until="was 130,")
        await no_own_session(api)
    finally:
        shell.kill()
        shell.wait()
        os.close(descriptor)
