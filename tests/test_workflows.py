"""The workflows of GitHub Actions, which nothing runs here: that they are valid, and safe."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".github/workflows"
BIN = Path(sys.executable).parent
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = [
    found[1]
    for classifier in PROJECT["classifiers"]
    if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", classifier))
]


def read(name):
    return yaml.safe_load((FOLDER / name).read_text())


CI, RELEASE = read("ci.yml"), read("release.yml")
JOBS = {
    f"{path.stem}/{name}": job
    for path in WORKFLOWS
    for name, job in read(path.name)["jobs"].items()
}


def steps(job, key):
    return [step[key] for step in job.get("steps", []) if key in step]


def commands(job):
    return [line for run in steps(job, "run") for line in run.splitlines()]


def check(*command):
    done = subprocess.run(
        [BIN / command[0], *command[1:]],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_they_fit_the_schema_of_workflows():
    check("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)


def test_an_analysis_of_their_security_finds_nothing():
    check("zizmor", "--offline", "--no-progress", "--no-config", *WORKFLOWS)


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_every_action_is_pinned_to_a_commit(job):
    for action in steps(job, "uses"):
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action), action


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_what_a_job_calls_exists(job):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in commands(job):
        match command.split():
            case ["make", *words]:
                called = [word for word in words if re.fullmatch(r"[a-z-]+", word)]
                assert called
                assert set(called) <= targets
            case ["bash", script]:
                assert (ROOT / script).is_file()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_nothing_and_each_job_says_what_it_needs(path):
    workflow = read(path.name)
    assert workflow["permissions"] == {}
    assert all(
        "permissions" in job and ("timeout-minutes" in job or "uses" in job)
        for job in workflow["jobs"].values()
    )
    assert path.read_text().startswith("# Not run here")


def test_only_the_job_that_publishes_has_an_identity_and_it_runs_nothing_of_ours():
    with_identity = {
        name for name, job in JOBS.items() if job["permissions"].get("id-token") == "write"
    }
    assert with_identity == {"release/publish"}
    publish = RELEASE["jobs"]["publish"]
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["environment"] == "pypi"
    assert commands(publish) == []
    assert [action.partition("@")[0] for action in steps(publish, "uses")] == [
        "actions/download-artifact",
        "pypa/gh-action-pypi-publish",
    ]


def test_a_release_publishes_what_was_checked():
    build, publish = RELEASE["jobs"]["build"], RELEASE["jobs"]["publish"]
    (uploaded,) = [step["with"] for step in build["steps"] if "upload" in step.get("uses", "")]
    (downloaded,) = [
        step["with"] for step in publish["steps"] if "download" in step.get("uses", "")
    ]

    assert set(publish["needs"]) == {"ci", "build"}
    assert [c for c in commands(build) if c.startswith("make")] == [
        c for c in commands(CI["jobs"]["release-check"]) if c.startswith("make")
    ]
    assert (uploaded["name"], uploaded["path"]) == (downloaded["name"], downloaded["path"])
    assert RELEASE[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 reads the key `on` as true


def test_a_release_publishes_only_a_commit_that_passes_ci():
    ci = RELEASE["jobs"]["ci"]
    assert ci["uses"] == "./.github/workflows/ci.yml"
    assert "workflow_call" in CI[True]
    granted = ci["permissions"].items()
    assert all(job["permissions"].items() <= granted for job in CI["jobs"].values())
    assert "if" not in RELEASE["jobs"]["publish"]  # else it could run though CI failed
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    assert re.search(r"environment `pypi` should\s+require a reviewer", guide)


def test_every_python_that_is_promised_is_run_on_linux_and_on_macos():
    assert PYTHONS
    for name in ("linux", "macos"):
        assert CI["jobs"][name]["strategy"]["matrix"]["python"] == PYTHONS
    for job in (CI["jobs"]["release-check"], RELEASE["jobs"]["build"]):
        (setup,) = [step for step in job["steps"] if "setup-python" in step.get("uses", "")]
        assert sorted(setup["with"]["python-version"].split()) == sorted(PYTHONS)
        wanted = " ".join(f"python{version}" for version in PYTHONS)
        assert f'make release-check PYTHONS="{wanted}"' in commands(job)
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"
