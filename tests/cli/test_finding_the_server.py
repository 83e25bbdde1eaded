"""Which server is asked, with which token, and what is said when none can be."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_wb_aws.cli.discovery import Connection, find_server
from jupyter_wb_aws.cli.errors import CliError

A = "http://localhost:8888/"
B = "http://localhost:8889/user/bob/"


@pytest.fixture
def find(runtime, net):
    """Find a server where this user listens at the ports of A and B, at every address."""
    for address in ("0.0.0.0", "::"):
        net.add(address, 8888)
        net.add(address, 8889)
    return lambda **env: find_server(env, runtime.path, net.path)


def failure_of(find, **env) -> CliError:
    with pytest.raises(CliError) as caught:
        find(**env)
    assert caught.value.exit_code == 2
    return caught.value


def test_the_only_running_server_is_asked(find, runtime):
    runtime.add(A)
    assert find() == Connection(A, "s3cret")


def test_a_terminal_asks_the_server_that_it_belongs_to(find, runtime):
    runtime.add(A, token="token-a")
    runtime.add(B, token="token-b", pid=os.getppid())
    assert find(JUPYTER_SERVER_URL=B) == Connection(B, "token-b")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8888", "http://localhost:8888/?token=x", "http://u:p@localhost:8888/"]
)
def test_a_url_in_another_spelling_names_the_same_server(find, runtime, url):
    runtime.add(A, token="token-a")
    runtime.add(B, token="token-b", pid=os.getppid())
    assert find(JUPYTER_SERVER_URL=url) == Connection(A, "token-a")


def test_a_kernel_asks_the_server_that_started_it(find, runtime):
    runtime.add(A, token="token-a")
    runtime.add(B, token="token-b", pid=os.getppid())
    assert find(JPY_PARENT_PID=str(os.getppid())) == Connection(B, "token-b")


def test_of_two_nested_servers_the_inner_one_is_asked(find, runtime):
    """A server that was started in a terminal of another hands the other's URL to its kernels."""
    runtime.add(A, token="outer", pid=os.getpid())
    runtime.add(B, token="inner", pid=os.getppid())
    assert find(JUPYTER_SERVER_URL=A, JPY_PARENT_PID=str(os.getppid())) == Connection(B, "inner")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_server_is_known_as_an_ancestor_through_a_shell_in_between():
    script = (
        "from jupyter_wb_aws.cli.server_info import ServerInfo, nearest_ancestor;"
        f"servers = [ServerInfo(pid=p, url='', token='') for p in (1, {os.getpid()})];"
        "print(nearest_ancestor(servers).pid, nearest_ancestor([]))"
    )
    shell = ["sh", "-c", '"$@"; true', "sh", sys.executable, "-c", script]
    ran = subprocess.run(shell, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == [str(os.getpid()), "None"]


def test_a_kernel_whose_parent_is_not_a_server_calls_the_only_server(find, runtime):
    runtime.add(A)
    assert find(JPY_PARENT_PID="1") == Connection(A, "s3cret")


def test_the_file_of_a_dead_server_is_passed_over_and_left_alone(find, runtime, dead_pid):
    runtime.add(A)
    runtime.add(B, pid=dead_pid)
    assert find() == Connection(A, "s3cret")
    assert (runtime.path / f"jpserver-{dead_pid}.json").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "url": 3}'])
def test_a_broken_file_is_passed_over(find, runtime, content):
    runtime.add(A)
    (runtime.path / "jpserver-broken.json").write_text(content)
    assert find() == Connection(A, "s3cret")


def test_a_file_that_cannot_be_read_is_passed_over(find, runtime):
    runtime.add(A)
    (runtime.path / "jpserver-1.json").mkdir()
    assert find() == Connection(A, "s3cret")


def test_none_running_is_said_in_a_sentence(find, runtime):
    error = failure_of(find)
    assert str(runtime.path) in error.problem["detail"]
    assert "jupyter lab" in error.problem["hint"]


def test_several_are_named_by_urls_without_tokens(find, runtime):
    runtime.add(f"{A}?token=s3cret")
    runtime.add(B, pid=os.getppid())
    error = failure_of(find)
    assert f"{A}, {B}" in error.problem["detail"]
    assert "s3cret" not in str(error.problem)


def test_a_terminal_whose_server_is_gone_asks_no_other(find, runtime):
    runtime.add(A)
    error = failure_of(find, JUPYTER_SERVER_URL=B)
    assert B in error.problem["detail"]
    assert A in error.problem["detail"]


def test_a_server_of_ours_with_a_runtime_folder_of_its_own_needs_its_token(find, runtime):
    error = failure_of(find, JUPYTER_SERVER_URL="http://127.0.0.1:8889/")
    assert error.problem["code"] == "no_token"
    assert str(runtime.path) in error.problem["detail"]
    assert "no Jupyter server of yours runs" not in error.problem["detail"]
    assert "JUPYTER_TOKEN" in error.problem["hint"]
    assert "another machine" not in error.problem["hint"]


def test_where_nothing_of_ours_listens_no_server_runs(find):
    error = failure_of(find, JUPYTER_SERVER_URL="http://127.0.0.1:8890/")
    assert "no Jupyter server of yours runs" in error.problem["detail"]


def test_a_server_elsewhere_is_asked_with_the_token_of_the_environment(find):
    url = "https://hub.example.com/user/alice/"
    found = find(JUPYTER_SERVER_URL=url, JUPYTER_TOKEN="t")
    assert found == Connection(url, "t", named_by_file=False)


def test_under_jupyterhub_the_servers_own_api_token_is_used(find, runtime):
    runtime.add(B, token="")
    env = {"JUPYTERHUB_SERVICE_PREFIX": "/user/bob/", "JUPYTERHUB_API_TOKEN": "hub"}
    assert find(**env) == Connection(B, "hub")


@pytest.mark.parametrize(
    "env",
    [
        {"JUPYTER_TOKEN": "t"},
        {"JUPYTERHUB_SERVICE_PREFIX": "/user/alice/", "JUPYTERHUB_API_TOKEN": "hub"},
        {"JPY_PARENT_PID": "1", "JUPYTER_TOKEN": "t"},
    ],
)
def test_the_environments_token_is_not_for_a_server_that_it_does_not_name(find, runtime, env):
    runtime.add(B, token="")
    assert find(**env) == Connection(B, "")


def test_a_kernels_own_server_gets_the_environments_token(find, runtime):
    runtime.add(B, token="")
    env = {"JPY_PARENT_PID": str(os.getpid()), "JUPYTER_TOKEN": "t"}
    assert find(**env) == Connection(B, "t")


def test_the_runtime_files_token_wins_over_the_environments(find, runtime):
    runtime.add(A)
    assert find(JUPYTER_SERVER_URL=A, JUPYTER_TOKEN="other") == Connection(A, "s3cret")


def test_a_server_with_a_password_only_cannot_be_asked(find, runtime):
    runtime.add(A, token="", password=True)
    assert "but no token" in failure_of(find).problem["detail"]


def test_a_server_that_asks_for_nothing_is_asked_without_a_token(find, runtime):
    runtime.add(A, token="")
    assert find() == Connection(A, "")


@pytest.mark.parametrize(("host", "asked"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])
def test_a_server_on_every_address_is_asked_by_loopback(find, runtime, host, asked):
    runtime.add(f"http://{socket.gethostname()}:8888/x/", hostname=host)
    assert find() == Connection(f"http://{asked}:8888/x/", "s3cret")


def test_a_connection_does_not_show_its_token():
    assert "s3cret" not in repr(Connection(A, "s3cret"))


def test_a_runtime_directory_that_does_not_exist_is_as_good_as_empty():
    assert failure_of(lambda **env: find_server(env, Path("/nonexistent"))).problem["code"] == (
        "no_server"
    )
