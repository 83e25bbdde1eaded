"""A server counts as this user's by its file, its process and its socket; else nothing is sent to it."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from jupyter_wb_aws.cli import local_connection, tcp_listeners
from jupyter_wb_aws.cli.errors import CliError
from jupyter_wb_aws.cli.local_connection import Deadline, connect_tcp, connect_unix
from jupyter_wb_aws.cli.running_servers import is_own_running_process, list_running_servers
from jupyter_wb_aws.cli.server_info import MAX_FILE_BYTES, UnusableServerInfo, read
from jupyter_wb_aws.cli.tcp_listeners import reached_by
from tests.cli.contract_server import State, role, served

NOBODY = 65534
ANOTHER = os.geteuid() + 1
A = "http://127.0.0.1:8888/"

linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux says who listens: docs/security.md"
)


# Its answer to every request: `env` and `exec` would load a library of its own.
ANSWER = json.dumps(
    {
        "role_arn": "arn:aws:iam::111122223333:role/analyst",
        "region": None,
        "environment": {"AWS_WEB_IDENTITY_TOKEN_FILE": "/dev/null", "LD_PRELOAD": "/tmp/evil.so"},
        "roles": [{"name": "analyst", "label": "analyst", "arn": "arn:aws:iam::1:role/x"}],
    }
)


@dataclass
class Stranger:
    pid: int
    port: int
    heard: Any

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def has_heard(self) -> bool:
        return not self.heard.empty()


@pytest.fixture
def stranger(monkeypatch, net):
    """Another user's program at a port: for real as root, else by the table that we look into."""
    fork = multiprocessing.get_context("fork")
    ports, heard = fork.SimpleQueue(), fork.SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            heard.put(dict(self.headers))
            self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n")
            self.wfile.write(ANSWER.encode())

        def __getattr__(self, name):
            return self.answer if name.startswith("do_") else super().__getattr__(name)

    def listen():
        if os.geteuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        listener = HTTPServer(("127.0.0.1", 0), Handler)
        ports.put(listener.server_port)
        listener.serve_forever()

    process = fork.Process(target=listen, daemon=True)
    process.start()
    port = ports.get()
    if os.geteuid() != 0:
        net.add("127.0.0.1", port, uid=ANOTHER)
        monkeypatch.setattr(tcp_listeners, "NET", net.path)
    yield Stranger(process.pid, port, heard)
    process.kill()
    process.join()


@linux_only
def test_the_strangers_program_would_do_harm(stranger):
    """Else the tests below could not fail."""
    with socket.create_connection(("127.0.0.1", stranger.port)) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\nAuthorization: token s3cret\r\n\r\n")
        assert b"LD_PRELOAD" in connection.makefile("rb").read()
    assert stranger.heard.get()["Authorization"] == "token s3cret"


@linux_only
@pytest.mark.parametrize("words", [["env", "analyst"], ["status"], ["exec", "analyst", "--", "ls"]])
def test_the_port_of_a_dead_server_that_is_another_users_now_gets_nothing(
    runtime, run, stranger, words
):
    runtime.add(stranger.url)

    ran = run(*words)

    assert (ran.code, ran.out) == (2, "")
    assert f"names port {stranger.port}, which now belongs to another user" in ran.err
    assert not stranger.has_heard()


@linux_only
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_terminal_that_outlives_its_server_sends_its_token_to_no_other_user(
    run, stranger, monkeypatch, host
):
    monkeypatch.setenv("JUPYTER_SERVER_URL", f"http://{host}:{stranger.port}/")
    monkeypatch.setenv("JUPYTER_TOKEN", "s3cret")

    ran = run("env", "analyst")

    assert (ran.code, ran.out) == (2, "")
    assert "A program of another user listens" in ran.err
    assert not stranger.has_heard()


@linux_only
def test_a_server_that_dies_between_two_looks_sends_its_token_to_no_other_user(
    runtime, run, stranger, monkeypatch
):
    """The second look, before anything is sent, is at the connection itself."""
    runtime.add(stranger.url)
    monkeypatch.setattr(
        "jupyter_wb_aws.cli.running_servers._check_listener", lambda server, net: None
    )

    ran = run("env", "analyst")

    assert (ran.code, ran.out) == (2, "")
    assert "A program of another user listens" in ran.err
    assert not stranger.has_heard()


@linux_only
def test_a_process_id_that_now_belongs_to_another_user_is_not_a_server(
    runtime, run, stranger, server
):
    (runtime.path / f"jpserver-{os.getpid()}.json").unlink()
    another = stranger.pid if os.geteuid() == 0 else 1
    runtime.add(server.url, pid=another)

    assert not is_own_running_process(another)
    assert run("roles").code == 2
    assert server.asked == []


@linux_only
def test_a_zombie_is_not_a_server():
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_own_running_process(process.pid)
    process.wait()


@pytest.mark.parametrize("pid", [0, -1, 2**80])
def test_an_invalid_process_id_is_not_a_server(pid):
    assert not is_own_running_process(pid)


@pytest.mark.parametrize("when", [0, 4102444800])
def test_a_file_with_any_time_names_a_living_server(server, runtime, run, when):
    """The clock was set, or the home is on NFS, whose server has a clock of its own."""
    for file in runtime.path.iterdir():
        os.utime(file, (when, when))
    assert run("roles").code == 0


def test_where_the_system_does_not_say_who_listens_the_process_decides(runtime, tmp_path):
    runtime.add(A)
    (server,) = list_running_servers(runtime.path, tmp_path / "hidden").servers
    assert server.url == A


@linux_only
def test_of_two_files_for_a_port_that_of_the_process_that_listens_counts(
    server, runtime, run, tmp_path
):
    """In a container, a dead server's process id is soon another process's of the same user."""
    process = subprocess.Popen(["sleep", "60"])
    runtime.add(server.url, pid=process.pid, token="of a dead server")
    try:
        ran = run("roles")
    finally:
        process.kill()
        process.wait()
    assert ran.code == 0


@pytest.mark.parametrize(
    ("listens", "connects_to", "hers"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("::", "127.0.0.1", True),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "::ffff:127.0.0.1", True),
        ("::", "::1", True),
        ("::1", "::1", True),
        ("127.0.0.1", "127.1", True),
        ("0.0.0.0", "0x7f.1", True),
        ("127.0.0.2", "127.0.0.1", False),
        ("192.0.2.1", "127.0.0.1", False),
        ("0.0.0.0", "::1", False),
        ("::1", "127.0.0.1", False),
    ],
)
def test_a_listener_is_found_at_the_address_that_reaches_it(net, listens, connects_to, hers):
    net.add(listens, 8888, uid=ANOTHER)
    found = reached_by(connects_to, tcp_listeners.listeners(8888, net.path))
    assert [listener.uid for listener in found] == [ANOTHER] * hers


def test_an_exact_address_wins_over_all_addresses(net):
    net.add("0.0.0.0", 8888, uid=ANOTHER)
    net.add("127.0.0.1", 8888)
    (found,) = reached_by("127.0.0.1", tcp_listeners.listeners(8888, net.path))
    assert found.uid == os.geteuid()


def test_only_what_listens_at_the_port_is_a_listener(net):
    net.add("127.0.0.1", 8888, state="01")
    net.add("127.0.0.1", 8889)
    (net.path / "tcp6").write_text("header\n 0: x:22B8 y 0A\n 1: :22B8 \n")
    assert tcp_listeners.listeners(8888, net.path) == []


def test_a_listener_behind_connections_is_found(net):
    """Linux has listeners first; gVisor has its own order."""
    net.add("192.0.2.1", 443, state="01")
    net.add("127.0.0.1", 8888)
    assert len(tcp_listeners.listeners(8888, net.path)) == 1


def test_every_listener_at_the_port_is_found(net):
    net.add("127.0.0.1", 8888)
    net.add("127.0.0.1", 8889)
    net.add("127.0.0.2", 8888)
    net.add("192.0.2.1", 443, state="01")
    net.add("::1", 8888)
    assert len(tcp_listeners.listeners(8888, net.path)) == 3


def test_the_systems_own_table_has_a_listener_of_ours():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found = tcp_listeners.listeners(port)
    if sys.platform == "linux":
        assert [(one.address, one.uid) for one in found] == [(b"\x7f\0\0\1", os.geteuid())]
    else:
        assert found is None


@linux_only
def test_of_the_addresses_of_a_name_the_one_that_is_ours_is_asked(net, monkeypatch):
    """With `--ip=127.0.0.1`, another user may listen at [::1], and localhost is both."""
    with socket.create_server(("127.0.0.1", 0)) as ours:
        port = ours.getsockname()[1]
        with socket.create_server(("127.0.0.2", port)):
            net.add("127.0.0.2", port, uid=ANOTHER)
            net.add("127.0.0.1", port)
            monkeypatch.setattr(tcp_listeners, "NET", net.path)
            both = [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
                for address in ("127.0.0.2", "127.0.0.1")
            ]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
            with connect_tcp("localhost", port, Deadline(5), named_by_file=True) as connection:
                assert connection.getpeername()[0] == "127.0.0.1"


@pytest.mark.parametrize("uid", [0, os.geteuid()], ids=["root", "this user"])
def test_where_the_user_names_the_url_root_may_listen_as_a_proxy_does(net, monkeypatch, uid):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        port = proxy.getsockname()[1]
        net.add("127.0.0.1", port, uid=uid)
        monkeypatch.setattr(tcp_listeners, "NET", net.path)
        connect_tcp("127.0.0.1", port, Deadline(5), named_by_file=False).close()


def test_nothing_connects_to_another_machine_because_a_runtime_file_names_it(monkeypatch):
    """A home that several machines share: another machine's server is not here."""
    there = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 8888))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: there)
    with pytest.raises(OSError, match="assign requested address"):
        connect_tcp("another.example", 8888, Deadline(5), named_by_file=True)


def test_another_users_unix_socket_gets_nothing(tmp_path, monkeypatch):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        connect_unix(path, Deadline(5)).close()
        monkeypatch.setattr(local_connection.os, "geteuid", lambda: ANOTHER)
        with pytest.raises(CliError) as refused:
            connect_unix(path, Deadline(5))
    assert refused.value.problem["code"] == "server_not_yours"


def test_a_file_that_is_not_a_unix_socket_is_not_a_server(runtime, run, tmp_path):
    (tmp_path / "jupyter.sock").touch()
    runtime.add("http+unix://%2Ftmp%2Fjupyter.sock/", sock=str(tmp_path / "jupyter.sock"))
    ran = run("roles")
    assert ran.code == 2
    assert "Unix socket that belongs to another user" in ran.err


# --- The files themselves -------------------------------------------------------------------


@pytest.fixture
def file(server, runtime):
    """The one runtime file, of a server that runs."""
    (path,) = runtime.path.iterdir()
    return path


def is_passed_over(run, why) -> bool:
    ran = run("roles")
    return ran.code == 2 and why in ran.err and "Traceback" not in ran.err


def test_a_link_is_not_followed(file, run):
    file.symlink_to(file.rename(file.with_name("elsewhere")))
    assert is_passed_over(run, "is ignored: it is a symbolic link")


def test_a_fifo_is_not_waited_at(file, run):
    file.unlink()
    os.mkfifo(file, 0o600)
    assert is_passed_over(run, "is not a regular file")


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_to_is_not_believed(file, run, mode):
    file.chmod(mode)
    assert is_passed_over(run, "can be written by other users")


def test_a_file_system_without_modes_is_trusted_if_jupyter_allows_insecure_writes(
    file, run, monkeypatch
):
    file.chmod(0o666)
    monkeypatch.setenv("JUPYTER_ALLOW_INSECURE_WRITES", "true")
    assert run("roles").code == 0


def test_another_users_file_is_not_trusted(file):
    anothers = Path("/etc/passwd")  # root's, unless we are root
    if os.geteuid() == 0:
        os.chown(file, NOBODY, NOBODY)
        anothers = file
    with pytest.raises(UnusableServerInfo, match="belongs to another user"):
        read(anothers)


def test_another_users_folder_is_not_looked_into(server, run, monkeypatch, runtime):
    monkeypatch.setattr("jupyter_wb_aws.cli.running_servers.os.geteuid", lambda: ANOTHER)
    if runtime.path.stat().st_uid == 0:  # a folder of root's is looked into
        os.chown(runtime.path, NOBODY, NOBODY)
    assert is_passed_over(run, "belongs to another user")


def test_a_huge_file_is_not_read(file, run):
    file.write_text(" " * MAX_FILE_BYTES + file.read_text())
    assert is_passed_over(run, "is larger than 65536 bytes")


def test_a_folder_in_its_place_is_passed_over(file, run):
    file.unlink()
    file.mkdir()
    assert is_passed_over(run, "is not a regular file")


@pytest.mark.parametrize(
    "odd",
    [
        {"pid": True},
        {"pid": 1e300},
        {"pid": float("inf")},
        {"pid": None},
        {"url": None},
        {"url": "http://[::1"},
        {"url": "http://127.0.0.1:99999/"},
        {"url": "http://127.0.0.1:x/"},
        {"url": "file:///etc/passwd"},
        {"url": "http://"},
        {"token": ["a"]},
        {"sock": 7},
        {"hostname": ["a"]},
    ],
)
def test_a_file_with_odd_values_is_passed_over_with_a_sentence(file, run, odd):
    file.write_text(json.dumps({**json.loads(file.read_text()), **odd}))
    assert is_passed_over(run, "does not describe a Jupyter server")


@pytest.mark.parametrize("text", ["[" * 20000, '{"pid": ' + "9" * 5000 + "}", "\0", '"pid"'])
def test_a_file_with_odd_json_is_passed_over_with_a_sentence(file, run, text):
    file.write_text(text)
    assert is_passed_over(run, "does not describe a Jupyter server")


def test_many_odd_files_are_named_in_part(file, run):
    for number in range(30):
        file.with_name(f"jpserver-x{number}.json").write_text("{")
    file.unlink()
    assert run("roles").err.count("is ignored") == 5


def test_an_odd_file_beside_a_living_servers_is_not_mentioned(file, run):
    file.with_name("jpserver-x.json").write_text("{")
    ran = run("roles")
    assert (ran.code, ran.err) == (0, "")


@linux_only
def test_a_server_on_every_address_is_this_users(runtime, run):
    state = State(roles=[role("analyst")])
    with served(state, address=("0.0.0.0", 0)) as server:
        url = f"http://{socket.gethostname()}:{server.server_port}/user/alice/"
        runtime.add(url, hostname="0.0.0.0")
        assert run("roles").code == 0


@linux_only
@pytest.mark.parametrize("host", ["127.1", "0x7f.0.0.1", "2130706433"])
def test_a_server_whose_file_spells_loopback_otherwise_is_this_users(runtime, run, host):
    with served(State(roles=[role("analyst")])) as server:
        runtime.add(f"http://{host}:{server.server_port}/user/alice/")
        ran = run("roles")
        assert (ran.code, ran.err) == (0, "")
