"""`%aws_role` and `%%aws_role`, in an IPython of this process; tests/cli/test_magic_in_kernels.py has real kernels."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import types
import warnings

import pytest
from IPython.core.completer import provisionalcompleter, rectify_completions
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.profiledir import ProfileDir

from tests.cli.contract_server import endpoint_client, problem, role, role_session, switch

NOW = switch(applies="now")
ROLES = [role("analyst", label="Analyst"), role("auditor", label="Head Auditor (eu)")]


def by_endpoint(name, **more):
    return role_session(name, delivery="endpoint", lease=960, environment={}, **more)


# Older versions of IPython color tracebacks everywhere.
COLOR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def shell(tmp_path, monkeypatch):
    shell = InteractiveShell(profile_dir=ProfileDir.create_profile_dir(str(tmp_path / "profile")))
    shell.colors = "nocolor"
    # What IPython sets in `builtins` while it runs a cell would otherwise be found by other tests.
    monkeypatch.setattr("builtins.get_ipython", shell.get_ipython, raising=False)
    shell.run_line_magic("load_ext", "jupyter_wb_aws")
    yield shell
    shell.history_manager.end_session()


@pytest.fixture
def ran(shell, capsys):
    """Run a cell; return its result and all that it prints, on one line and without colors."""

    def run_it(cell):
        result = shell.run_cell(cell)
        said = COLOR.sub("", "".join(capsys.readouterr()))
        return result, " ".join(said.split())

    return run_it


@pytest.fixture
def kernel(server, monkeypatch):
    """This process is a kernel that works as Analyst, by the endpoint."""
    server.roles = ROLES
    server.sessions = [by_endpoint("analyst")]
    server.started = {"delivery": "endpoint", "lease": 960, "environment": {}}
    server.switch = NOW
    server.clients = [endpoint_client("kernel-1", session_id="id-analyst", label="analyst")]
    server.assignments = [assignment("id-analyst")]
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    monkeypatch.setenv("JUPYTER_WB_AWS_KERNEL_ID", "kernel-1")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/run/s1_c-kernel-1.endpoint")
    return server


@pytest.fixture
def web_identity_kernel(kernel, monkeypatch):
    monkeypatch.delenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    monkeypatch.setenv("AWS_ROLE_SESSION_NAME", "alice-analyst")
    kernel.sessions = [role_session("analyst", environment={"AWS_ROLE_SESSION_NAME": "alice-analyst"})]  # fmt: skip
    kernel.switch = switch(at_restart=["AWS_ROLE_ARN"])
    kernel.started = {}
    return kernel


def assignment(session_id, **more):
    return {
        "kind": "kernel",
        "id": "kernel-1",
        "chosen": {"session_id": session_id, "how": "by_user"},
        "running": None,
        "given": "role",
        "delivery": "endpoint",
        "next": None,
        **more,
    }


def switches(server):
    """The role sessions that were assigned, one after the other."""
    return [asked.body["session_id"] for asked in server.asked if asked.method == "PUT"]


# --- Show and switch -----------------------------------------------------------------------


def test_it_shows_the_role_its_delivery_region_and_end(kernel, ran):
    kernel.sessions[0] |= {"label": "Analyst", "credentials_expire_at": "2099-01-01T10:00:00Z"}

    _, said = ran("%aws_role")

    for part in (
        "Role Analyst", "ARN arn:aws:iam::111122223333:role/analyst", "credential endpoint", "us-east-2", "2099-01-01",
    ):  # fmt: skip
        assert part in said


def test_it_shows_the_region_that_this_process_uses_and_that_of_the_role(kernel, ran, monkeypatch):
    kernel.sessions[0] |= {"region": "eu-west-1"}
    monkeypatch.setenv("AWS_REGION", "us-east-2")

    _, said = ran("%aws_role")

    assert (
        "Region us-east-2 (of this process; eu-west-1, that of the role, takes a restart)" in said
    )


@pytest.mark.parametrize("by", ["endpoint", "web identity"])
def test_without_a_role_it_says_when_the_magic_gives_one(kernel, ran, monkeypatch, by):
    kernel.clients[0] |= {"session_id": None, "label": None}
    if by == "web identity":
        monkeypatch.delenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")

    _, said = ran("%aws_role")

    when = "at once" if by == "endpoint" else "at its next restart"
    assert f"`%aws_role ROLE` gives it one {when}." in said


def test_after_an_end_it_advises_itself_and_not_the_command(kernel, ran):
    kernel.sessions = []
    kernel.clients[0] |= {"label": "Data engineer"}

    _, said = ran("%aws_role")

    assert "`%aws_role Data engineer` in a cell, or the notebook's toolbar, gives it" in said


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_it_explains_itself(kernel, ran, word):
    assert "%aws_role none switch to no AWS role" in ran(f"%aws_role {word}")[1]
    assert not kernel.asked


def test_a_switch_says_what_applies_now_and_what_stays(kernel, ran):
    kernel.switch = switch(
        applies="now",
        at_restart=["AWS_DEFAULT_REGION", "AWS_REGION"],
        old_clients_until="2099-01-01T10:00:00Z",
    )

    result, said = ran("%aws_role auditor")

    assert result.success
    assert switches(kernel) == ["id-auditor"]
    assert "This kernel has the role auditor now." in said
    assert "A boto3 client made before follows by 2099-01-01 09:45." in said
    assert "may use the previous role until 2099-01-01 10:00" in said
    assert "until a restart: AWS_DEFAULT_REGION, AWS_REGION" in said


@pytest.mark.parametrize("word", ["Head Auditor (eu)", '"head auditor (eu)"', "auditor"])
def test_a_role_is_named_by_a_label_with_blanks_too(kernel, ran, word):
    result, _ = ran(f"%aws_role {word}")

    assert result.success
    assert switches(kernel) == ["id-auditor"]


def test_none_is_no_aws_role(kernel, ran):
    _, said = ran("%aws_role none")

    assert switches(kernel) == [None]
    assert "has no AWS role now" in said


def test_the_role_of_a_switch_does_not_become_the_default(kernel, ran):
    ran("%aws_role auditor")

    (started,) = [asked.body for asked in kernel.asked if asked.method == "POST"]
    assert not started.get("default")


def test_with_web_identity_it_says_that_a_restart_is_needed_and_how(web_identity_kernel, ran):
    result, said = ran("%aws_role auditor")

    assert result.success
    assert switches(web_identity_kernel) == ["id-auditor"]
    assert "at its next restart, not at once" in said
    assert "Kernel > Restart Kernel" in said


def test_clients_that_libraries_share_are_let_go(kernel, ran, monkeypatch):
    """boto3's default session, and the file systems that fsspec keeps; a profile that the user chose stays."""
    made = []

    class FileSystem:
        @classmethod
        def clear_instance_cache(cls):
            made.append(cls.__name__)

    class S3(FileSystem):
        pass

    fsspec = types.SimpleNamespace(AbstractFileSystem=FileSystem)
    boto3 = types.SimpleNamespace(
        DEFAULT_SESSION=types.SimpleNamespace(profile_name="default", region_name="eu-west-1"),
        setup_default_session=lambda **how: made.append(how),
    )
    monkeypatch.setitem(sys.modules, "fsspec", fsspec)
    monkeypatch.setitem(sys.modules, "boto3", boto3)

    ran("%aws_role auditor")
    boto3.DEFAULT_SESSION.profile_name = "mine"
    ran("%aws_role analyst")

    files = ["FileSystem", "S3"]
    assert made == [{"region_name": "eu-west-1"}, *files, *files]


# --- What is in the way --------------------------------------------------------------------


def failed(result, said):
    """The cell has failed, so that a run of all cells stops; one sentence says why."""
    assert not result.success
    assert "Traceback" not in said
    assert said.startswith("UsageError: ")
    return said


def test_an_unknown_role_is_one_sentence_with_the_known_ones(kernel, ran):
    assert "Your roles are: analyst, auditor" in failed(*ran("%aws_role writer"))
    assert not switches(kernel)


def test_a_refused_role_is_one_sentence(kernel, ran):
    kernel.fail("POST /aws/sessions", "trust_refused", "AWS did not let you use Auditor.")

    assert "AWS did not let you use Auditor. Do this." in failed(*ran("%aws_role auditor"))


def test_what_an_administrator_needs_to_know_is_shown_too(kernel, ran):
    kernel.fail(
        "POST /aws/sessions", "trust_refused", "No.", admin_hint="Correct the trust policy."
    )

    said = failed(*ran("%aws_role auditor"))

    assert "For your administrator: Correct the trust policy." in said


def test_not_signed_in_is_one_sentence(kernel, ran):
    kernel.fail("POST /aws/sessions", "sign_in_required", "You have to sign in.")

    assert "You have to sign in." in failed(*ran("%aws_role auditor"))


def test_a_kernel_that_the_server_does_not_know_is_explained(kernel, ran):
    kernel.fail("PUT /aws/assignments/kernel-1", "kernel_not_found", "No kernel has that id.")

    assert "does not know this kernel" in failed(*ran("%aws_role auditor"))


def test_without_a_server_it_says_what_to_do(ran):
    assert "No running Jupyter server" in failed(*ran("%aws_role"))


def test_two_servers_are_explained(kernel, runtime, ran, monkeypatch):
    runtime.add("http://127.0.0.1:9/", pid=1)
    runtime.add(kernel.url.replace("/user/alice", "/user/bob"), pid=None)
    (runtime.path / "jpserver-1.json").unlink()
    other = json.loads(next(runtime.path.glob("*.json")).read_text())
    (runtime.path / "jpserver-other.json").write_text(json.dumps({**other, "url": kernel.url}))
    (runtime.path / "jpserver-other.json").chmod(0o600)
    monkeypatch.delenv("JPY_PARENT_PID")

    assert "Several Jupyter servers are running" in failed(*ran("%aws_role auditor"))


# --- A cell --------------------------------------------------------------------------------


def test_a_cell_has_its_role_while_it_runs_and_the_old_one_afterwards(kernel, shell, ran):
    shell.user_ns["seen"] = lambda: switches(kernel)

    result, said = ran("%%aws_role auditor\nduring = seen()\n6 * 7")

    assert result.result == 42
    assert shell.user_ns["during"] == ["id-auditor"]
    assert switches(kernel) == ["id-auditor", "id-analyst"]
    assert "42" in said


@pytest.mark.parametrize("error", ["ValueError('no')", "KeyboardInterrupt", "SystemExit(3)"])
def test_the_old_role_is_put_back_however_the_cell_ends(kernel, ran, error):
    with warnings.catch_warnings(action="ignore"):  # IPython says how to leave it
        result, said = ran(f"%%aws_role auditor\n\nraise {error}")

    assert not result.success
    assert type(result.error_in_exec).__name__ in error
    assert switches(kernel) == ["id-auditor", "id-analyst"]
    if "ValueError" in error:
        assert "----> 3 raise ValueError" in said
        assert "kernel_role.py" not in said


def test_a_second_interrupt_waits_until_the_old_role_is_back(kernel, ran):
    interrupted = []

    def interrupt(session_id):
        if session_id == "id-analyst":
            interrupted.append(session_id)
            os.kill(os.getpid(), signal.SIGINT)

    kernel.on_assign = interrupt
    result, _ = ran("%%aws_role auditor\npass")

    assert result.success
    assert switches(kernel) == ["id-auditor", "id-analyst"]
    assert interrupted


def test_a_cell_does_not_run_if_its_role_cannot_start(kernel, shell, ran):
    kernel.fail("POST /aws/sessions", "trust_refused", "AWS did not let you use Auditor.")

    failed(*ran("%%aws_role auditor\nran = True"))

    assert "ran" not in shell.user_ns
    assert not switches(kernel)


@pytest.mark.parametrize("cell", ["1 +", "await something()"])
def test_a_cell_that_cannot_run_switches_nothing(kernel, ran, cell):
    result, _ = ran(f"%%aws_role auditor\n{cell}")

    assert not result.success
    assert not switches(kernel)


def test_a_role_session_that_ended_meanwhile_leaves_no_aws_role(kernel, shell, ran):
    ended = problem("role_session_ended", "It has ended.")
    answer = (409, "application/problem+json", json.dumps(ended).encode())

    def end_it():
        # Only what the cell had before is refused; `none` is then accepted.
        kernel.refused_sessions["id-analyst"] = answer

    shell.user_ns["end_it"] = end_it
    result, said = ran("%%aws_role auditor\nend_it()")

    assert result.success
    assert switches(kernel) == ["id-auditor", "id-analyst", None]
    assert "role session of analyst has ended, so this kernel has no AWS role now" in said


def test_a_role_that_cannot_be_put_back_is_said_loudly(kernel, shell, ran):
    shell.user_ns["fail"] = lambda: kernel.fail(
        "PUT /aws/assignments/kernel-1", "internal_error", "Something broke."
    )

    said = failed(*ran("%%aws_role auditor\nfail()"))

    assert "could not be switched back" in said
    assert "%aws_role analyst" in said


def test_a_cell_chooses_nothing_for_the_next_restart(kernel, ran):
    """So a kernel that crashes in the cell starts again with its own role."""
    ran("%%aws_role auditor\npass")

    assert switches(kernel) == ["id-auditor", "id-analyst"]
    assigned = [asked.body for asked in kernel.asked if asked.method == "PUT"]
    assert [body["until_restart"] for body in assigned] == [True, True]


def test_with_web_identity_a_cell_is_refused_with_the_way_out(web_identity_kernel, shell, ran):
    said = failed(*ran("%%aws_role auditor\nran = True"))

    assert "takes a restart" in said
    assert "ran" not in shell.user_ns
    assert not web_identity_kernel.asked or not switches(web_identity_kernel)


def test_a_cell_for_a_role_by_web_identity_is_refused(kernel, ran):
    kernel.started = {}

    assert "auditor is delivered by web identity" in failed(*ran("%%aws_role auditor\npass"))
    assert not switches(kernel)


# --- Completion ----------------------------------------------------------------------------


def completed(shell, typed):
    """What a line becomes with each completion, as kernels offer them."""
    with provisionalcompleter():
        found = shell.Completer.completions(typed, len(typed))
        return [typed[: one.start] + one.text for one in rectify_completions(typed, found)]


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("%aws_role aud", "%aws_role auditor"),
        ("%%aws_role an", "%%aws_role analyst"),
        ("x = 1\n%aws_role head Au", "x = 1\n%aws_role head Auditor (eu)"),
        ('%aws_role "Head Auditor (e', '%aws_role "Head Auditor (eu)'),
        ("%aws_role ", "%aws_role none"),
    ],
)
def test_names_and_labels_are_completed(kernel, shell, typed, line):
    assert line in completed(shell, typed)


def test_completion_without_a_server_completes_nothing(shell):
    assert "%aws_role analyst" not in completed(shell, "%aws_role an")
