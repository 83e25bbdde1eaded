"""A site for tests of the doctor: its server and commands never go to AWS, with a role or without."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from jupyter_wb_aws.demo.names import REGION

# Keys of the user's own, which win over a role in some SDK.
STATIC = "[default]\naws_access_key_id = AKIAUSER\naws_secret_access_key = user-secret\n"
# Runs the command in a kernel, and prints its report.
DOCTOR = "import subprocess; print(subprocess.run(['jupyter-wb-aws', 'doctor', '--json'], capture_output=True, text=True).stdout)"


def make_home(tmp_path):
    """Make a home folder of the user, with a place for AWS files."""
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    return home


def set_environment(monkeypatch, home, aws):
    """Set what the server itself has in its environment."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


def codes(report, *severities):
    """Return the codes of a report's findings of these severities."""
    return [f["code"] for f in report["findings"] if f["severity"] in severities]
