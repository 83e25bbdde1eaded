"""What to do, as a command for the place where the doctor was asked, or as a line to change."""

from __future__ import annotations

import shlex

from jupyter_wb_aws.doctor.facts import Facts

RESTART = {
    "kernel": "Restart the kernel (Kernel > Restart Kernel).",
    "terminal": "Open a new terminal.",
    "server": "Start a new notebook or terminal.",
    None: "Open a new terminal in JupyterLab.",
}


def unset(facts: Facts, *names: str) -> str:
    """Say how variables are removed here, and from the line that sets them where that is known."""
    present = [name for name in names if name in facts.environment]
    if facts.place == "kernel":
        pops = "; ".join(f'os.environ.pop("{name}", None)' for name in present)
        command = f"Run in the notebook: import os; {pops}"
    elif facts.place == "server":
        command = f"Start the Jupyter server without {' and '.join(present)}"
    else:
        command = f"Run: unset {' '.join(present)}"
    lines = [f"{facts.startup_lines[name]}" for name in present if name in facts.startup_lines]
    return f"{command}{_startup(lines, 'remove')}"


def export(facts: Facts, name: str, value: str) -> str:
    """Say how a variable is set here."""
    if facts.place == "kernel":
        command = f"Run in the notebook: %env {name}={value}"
    elif facts.place == "server":
        command = f"Start the Jupyter server with {name}={shlex.quote(value)}"
    else:
        command = f"Run: export {name}={shlex.quote(value)}"
    line = facts.startup_lines.get(name)
    return f"{command}{_startup([str(line)] if line else [], 'correct')}"


def restart(facts: Facts) -> str:
    """Say how a process gets what is right now."""
    return RESTART[facts.place]


def _startup(lines: list[str], verb: str) -> str:
    return f"; and {verb} the line {', '.join(lines)}" if lines else ""
