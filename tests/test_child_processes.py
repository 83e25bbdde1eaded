"""Short-lived child processes: what they get, how they end, and how their failures are explained."""

import asyncio
import errno
import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from jupyter_wb_aws import child_processes
from jupyter_wb_aws.child_processes import ChildProcesses, child_environment
from jupyter_wb_aws.errors import HelperProcessFailed

ECHO = """
    import json, os, sys
    asked = json.load(sys.stdin)
    json.dump({"asked": asked, "environment": dict(os.environ), "cwd": os.getcwd(), "session": os.getsid(0),
               "pid": os.getpid(), "argv": sys.argv, "path": sys.path}, sys.stdout)
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module that the server's own PYTHONPATH leads to."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))

    def write(program, name="wb_aws_child"):
        (folder / f"{name}.py").write_text(textwrap.dedent(program))
        return name

    return write


def lives(pid):
    """Return whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def ask(name, environment=None, question=None, seconds=30, children=None):
    environment = dict(os.environ) if environment is None else environment
    return await (children or ChildProcesses()).ask(name, environment, question, timeout=seconds)


async def test_a_question_goes_in_and_its_answer_comes_back(module):
    answer = await ask(module(ECHO), question={"a": [1, "é"]})
    assert answer["asked"] == {"a": [1, "é"]}


async def test_a_child_has_the_requested_environment_and_its_own_session(module):
    answer = await ask(module(ECHO), {"HTTPS_PROXY": "http://proxy.example"})
    assert answer["environment"]["HTTPS_PROXY"] == "http://proxy.example"
    assert "HOME" not in answer["environment"]
    assert answer["cwd"] == "/"
    assert answer["session"] == answer["pid"] != os.getsid(0)
    assert len(answer["argv"]) == 1


async def test_the_interpreter_is_the_servers_in_any_kernels_environment(module, tmp_path):
    decoy = tmp_path / "decoy"
    decoy.mkdir()
    (decoy / "json.py").write_text("raise SystemExit(7)")
    kernels = {
        "PYTHONPATH": str(decoy),
        "PYTHONHOME": "/nowhere",
        "PYTHONSTARTUP": str(decoy / "json.py"),
        "PYTHONINSPECT": "1",
        "LD_PRELOAD": "/nowhere.so",
        "LD_LIBRARY_PATH": "/nowhere",
        "DYLD_INSERT_LIBRARIES": "/nowhere",
        "PATH": "/nowhere",
    }
    answer = await ask(module(ECHO), kernels)
    assert answer["environment"]["PYTHONPATH"] == os.environ["PYTHONPATH"]
    assert not {"PYTHONHOME", "PYTHONINSPECT", "LD_PRELOAD"} & set(answer["environment"])
    assert answer["environment"]["PATH"] == "/nowhere"


async def test_nothing_in_the_servers_folder_is_imported(module, tmp_path, monkeypatch):
    name = module(ECHO)
    (tmp_path / "json.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    assert str(tmp_path) not in (await ask(name))["path"]


async def test_a_relative_folder_in_the_servers_python_path_is_found(module, tmp_path, monkeypatch):
    name = module(ECHO)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "site::")
    assert (await ask(name))["environment"]["PYTHONPATH"] == str(tmp_path / "site")


def test_flags_of_the_servers_python_are_passed_on():
    program = "from jupyter_wb_aws.child_processes import _flags; print(*_flags())"
    import subprocess

    said = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)  # fmt: skip
    assert said.stdout.split() == ["-I", "-E", "-s"]


def test_the_servers_own_variables_of_the_interpreter_are_kept():
    own = {"PYTHONHOME": "/own", "LD_LIBRARY_PATH": "/own/lib", "HTTPS_PROXY": "http://servers"}
    assert child_environment({"A": "b", "PYTHONHOME": "/kernels"}, own) == {
        "A": "b",
        "PYTHONHOME": "/own",
        "LD_LIBRARY_PATH": "/own/lib",
    }


# --- Ends ----------------------------------------------------------------------------------


HANGING = """
    import os, pathlib, subprocess, sys, time
    grandchild = subprocess.Popen(["sleep", "600"])
    pathlib.Path(os.environ["WHERE"]).write_text(f"{os.getpid()} {grandchild.pid}")
    time.sleep(600)
"""


def pids(where):
    return [int(pid) for pid in where.read_text().split()] if where.exists() else []


async def test_at_its_deadline_a_child_is_killed_with_its_children(module, tmp_path):
    where = tmp_path / "pids"
    with pytest.raises(TimeoutError):
        await ask(module(HANGING), {"WHERE": str(where), "PATH": os.environ["PATH"]}, seconds=2)
    await until(lambda: not any(map(lives, pids(where))))
    assert len(pids(where)) == 2


async def test_a_caller_that_is_cancelled_kills_it(module, tmp_path):
    where = tmp_path / "pids"
    environment = {"WHERE": str(where), "PATH": os.environ["PATH"]}
    asking = asyncio.create_task(ask(module(HANGING), environment))
    await until(lambda: len(pids(where)) == 2)

    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    await until(lambda: not any(map(lives, pids(where))))


async def test_processes_that_a_child_leaves_behind_end_with_it(module, tmp_path):
    program = """
        import json, subprocess
        left = subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        print(json.dumps(left.pid))
    """
    left = await ask(module(program))
    await until(lambda: not lives(left))


async def test_at_most_the_limit_run_at_once_and_waiting_counts(module, tmp_path):
    children = ChildProcesses(2)
    name, where = module(HANGING), [tmp_path / str(n) for n in range(3)]
    asking = [
        asyncio.create_task(
            ask(name, {"WHERE": str(path), "PATH": os.environ["PATH"]}, children=children)
        )
        for path in where[:2]
    ]
    await until(lambda: all(len(pids(path)) == 2 for path in where[:2]))

    with pytest.raises(TimeoutError):
        await ask(name, {"WHERE": str(where[2])}, seconds=0.3, children=children)
    assert not where[2].exists()

    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    assert (await ask(module(ECHO, "another"), children=children))["asked"] is None


async def test_many_at_once_are_all_answered(module):
    name, children = module("import json, sys; json.dump(json.load(sys.stdin), sys.stdout)"), ChildProcesses()  # fmt: skip
    answers = await asyncio.gather(*(ask(name, question=n, children=children) for n in range(12)))
    assert answers == list(range(12))


async def test_the_shared_thread_pool_is_not_used(module):
    class Refusing:
        def submit(self, *args, **kwargs):
            raise AssertionError("the shared thread pool")

    loop = asyncio.get_running_loop()
    loop._default_executor = Refusing()
    try:
        assert (await ask(module(ECHO), question=1))["asked"] == 1
    finally:
        loop._default_executor = None


# --- Failures ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "detail"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was killed"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", f"signal {signal.SIGSEGV:d}"),
        ("raise RuntimeError('secret')", "status 1"),
        ("print('not JSON: secret')", "an answer that can't be read"),
        pytest.param(
            "import sys; sys.stdout.buffer.write(b'\\xff\\xfe')",
            "an answer that can't be read",
            id="not UTF-8",
        ),
        ("", "an answer that can't be read"),
        ("import os; os.close(0); print('{')", "an answer that can't be read"),
        ("print('1' * 3_000_000)", "more than"),
        ("import sys; sys.stderr.write('secret' * 100_000); sys.exit(3)", "status 3"),
    ],
)
async def test_a_child_that_gives_no_answer_is_explained(module, program, detail):
    with pytest.raises(HelperProcessFailed, match=detail) as failed:
        await ask(module(program), question="x" * 500_000)
    assert failed.value.admin_hint
    assert "secret" not in str(failed.value.as_problem())


async def test_a_missing_module_is_explained():
    with pytest.raises(HelperProcessFailed, match="status 1") as failed:
        await ask("no_such_module_of_ours")
    assert "-m no_such_module_of_ours" in failed.value.admin_hint


async def test_a_missing_python_is_named(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(HelperProcessFailed, match="could not start") as failed:
        await ask("anything")
    assert "/nowhere/python" in failed.value.admin_hint


async def test_a_variable_that_can_not_be_passed_on_is_explained():
    with pytest.raises(HelperProcessFailed, match="environment variable"):
        await ask("anything", {"A": "secret\0"})
    with pytest.raises(HelperProcessFailed, match="Argument list too long") as failed:
        await ask("anything", {"A": "x" * 4_000_000})
    assert "extra_environment" in failed.value.admin_hint


@pytest.mark.parametrize(
    ("fault", "hint"),
    [
        (OSError(errno.EAGAIN, "no"), "ulimit -u"),
        (RuntimeError("can't start new thread"), "ulimit -u"),
        (OSError(errno.ENOMEM, "no"), "memory"),
        (OSError(errno.EMFILE, "no"), "ulimit -n"),
        (OSError(errno.EIO, "no"), "tried to start"),
    ],
)
async def test_a_process_that_can_not_start_is_explained(monkeypatch, fault, hint):
    async def fails(*args, **kwargs):
        raise fault

    monkeypatch.setattr(child_processes.asyncio, "create_subprocess_exec", fails)
    children = ChildProcesses(1)
    for _ in range(2):  # its place is free again
        with pytest.raises(HelperProcessFailed, match="could not start") as failed:
            await ask("anything", children=children)
        assert hint in failed.value.admin_hint
