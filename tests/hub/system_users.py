"""Users of this machine, made for one hub and removed after it, and a Python that they can run."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import subprocess
import sysconfig
import time
from pathlib import Path

import psutil

NOBODY = 65534
LOCKED = (
    1,
    10,
)  # useradd and userdel: "can't update password file", which another holds for a moment


@contextlib.contextmanager
def system_users(homes):
    """Make users of this machine.

    Args:
        homes: the home that each of the hub's users gets, which only they can read.

    Yields:
        the system's name of each: a test that runs beside this one has others.
    """
    made = {}
    try:
        for name, home in homes.items():
            made[name] = f"wbaws-{secrets.token_hex(4)}"
            _until_unlocked(
                "useradd", "--create-home", "--home-dir", home, "--shell", "/bin/sh", made[name]
            )
            home.chmod(0o700)
        yield made
    finally:
        for system_name in made.values():
            with contextlib.suppress(KeyError):
                end_processes(_of_user(pwd.getpwnam(system_name).pw_uid))
            _until_unlocked("userdel", "--remove", system_name, may_fail=True)


def python_for_users(venv, folder):
    """Find a Python with the packages of a venv that every user of this machine can run.

    The venv's own, unless that is below a folder of root's: then one of the system's, of the same version.

    Args:
        venv: with the packages.
        folder: for another venv, if it takes one.

    Returns:
        the Python's path; None if no user but root can run one with these packages.
    """
    own = venv / "bin/python"
    if _runs_for_others(own):
        return own
    version = sysconfig.get_python_version()
    for base in (Path(place) / f"python{version}" for place in ("/usr/bin", "/usr/local/bin")):
        if base.exists():
            subprocess.run([base, "-m", "venv", "--without-pip", folder], check=True)
            added = f"import site; site.addsitedir({str(_packages(venv, version))!r})\n"
            (_packages(folder, version) / "tested.pth").write_text(added)
            _link_the_rest(venv, folder)
            if _runs_for_others(folder / "bin/python"):
                return folder / "bin/python"
            shutil.rmtree(folder)
    return None


def end_processes(processes):
    """Kill processes, and wait until they are gone."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=30)


def _packages(venv, version):
    return venv / f"lib/python{version}/site-packages"


def _link_the_rest(venv, folder):
    """Give a venv the other's data and configuration, and its commands with a Python of its own."""
    for name in ("etc", "share"):
        if (venv / name).exists():
            (folder / name).symlink_to(venv / name)
    for command in (venv / "bin").iterdir():
        shebang, newline, rest = command.read_bytes().partition(b"\n")
        if shebang.startswith(f"#!{venv}/bin/python".encode()):
            copy = folder / "bin" / command.name
            copy.write_bytes(f"#!{folder}/bin/python".encode() + newline + rest)
            copy.chmod(0o755)


def _runs_for_others(python):
    command = [python, "-c", "import jupyterhub, jupyter_wb_aws"]
    with contextlib.suppress(PermissionError):
        return not subprocess.run(
            command, cwd="/", env={}, user=NOBODY, group=NOBODY, extra_groups=[],
            stderr=subprocess.DEVNULL, check=False,
        ).returncode  # fmt: skip
    return False


def _of_user(uid):
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.uids().real == uid:
                found.append(process)
    return found


def _until_unlocked(*command, may_fail=False):
    deadline = time.monotonic() + 30
    while True:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in LOCKED or time.monotonic() > deadline:
            assert may_fail or done.returncode == 0, done.stderr
            return
        time.sleep(0.1)


def can_make_users():
    """Whether this process may make users of this machine."""
    return os.geteuid() == 0 and shutil.which("useradd") is not None
