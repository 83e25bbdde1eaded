"""The hooks that run before a commit: real commits in a scratch repository, by file type."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PRE_COMMIT = Path(sys.executable).with_name("pre-commit")
HOOKS = [
    hook
    for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    for hook in repo["hooks"]
]
CONFIGURATION = (
    ".pre-commit-config.yaml",
    "pyproject.toml",
    "labextension/package.json",
    "labextension/.prettierignore",
)


class Repository:
    """A repository with the project's configuration and programs, and no file of its own yet."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder.parent),
            "PRE_COMMIT_HOME": str(folder.parent / "pre-commit"),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_NAME": "A Contributor" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "contributor@example.com" for who in ("AUTHOR", "COMMITTER")},
            # Nothing may be fetched, by any of the programs.
            **dict.fromkeys(("http_proxy", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:9"),
        }
        for name in CONFIGURATION:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
        (folder / ".venv").symlink_to(Path(sys.prefix))
        modules = folder / "labextension/node_modules"
        modules.symlink_to(ROOT / "labextension/node_modules")
        (folder / ".gitignore").write_text(".venv\nnode_modules\n")
        self.run("git", "init", "-q")
        self.run("git", "add", "--all")
        self.run("git", "commit", "-q", "-m", "Configure")
        self.run("git", "tag", "made")
        self.run(str(PRE_COMMIT), "install")

    def run(self, *command, check=True):
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout
        return done

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        self.run("git", "add", name)

    def commit(self, name, content):
        """Commit one file; return whether git took it, and each hook's result by its name."""
        self.write(name, content)
        done = self.run("git", "commit", "-m", "Change a file", check=False)
        return done.returncode == 0, results(done.stdout)


def results(printed):
    """Return each hook's result by its name, from lines such as `ruff check....Passed`."""
    return {
        found[1]: found[2]
        for found in re.finditer(
            r"^(.+?)\.{3,}(?:\(.*\))?(Passed|Failed|Skipped)$", printed, re.MULTILINE
        )
    }


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return Repository(tmp_path_factory.mktemp("pre-commit") / "repository")


@pytest.fixture
def repository(shared):
    """The repository as it was made: each test commits its own file."""
    yield shared
    shared.run("git", "reset", "-q", "--hard", "made")
    shared.run("git", "clean", "-q", "-d", "--force")


GOOD = {
    "python": ("module.py", '"""A module."""\n'),
    "typescript": ("labextension/src/module.ts", "export const ONE = 1;\n"),
    "markdown": ("docs/page.md", "# A page\n"),
    "yaml": ("settings.yaml", "a: 1\n"),
    "toml": ("settings.toml", "a = 1\n"),
    "json": ("settings.json", '{"a": 1}\n'),
    "shell": ("tool.sh", "echo 1\n"),
}

# The file, what is wrong with it, and the hook that sees it.
BAD = {
    "unused-import": ("module.py", '"""A module."""\n\nimport os\n', "ruff check"),
    "python-layout": ("module.py", '"""A module."""\n\nONE = {1 :2}\n', "ruff format"),
    "typescript-layout": ("labextension/src/a.ts", 'export const A = "a"\n', "prettier"),
    "css-layout": ("labextension/style/a.css", "a{color:red}\n", "prettier"),
    "spelling": ("page.md", "This is t" + "eh end.\n", "codespell"),
    "trailing-space": ("page.md", "An end. \nAnother.\n", "trim trailing whitespace"),
    "no-last-newline": ("page.md", "An end.", "end files with one newline"),
    "line-endings": ("page.md", "One.\r\nTwo.\nThree.\n", "check line endings"),
    "yaml": ("settings.yaml", "a: [1\n", "check YAML"),
    "toml": ("settings.toml", "a = [1\n", "check TOML"),
    "json": ("settings.json", '{"a": 1,}\n', "check JSON"),
    "mode": ("tool.sh", "#!/bin/sh\necho 1\n", "check that scripts can be executed"),
    "private-key": ("key.txt", "-----BEGIN RSA PRIVATE " + "KEY-----\n", "check for private keys"),
    "large-file": ("large.txt", "a\n" * 600_000, "check for large files"),
}


def test_good_files_of_every_type_are_committed(repository):
    for name, content in GOOD.values():
        repository.write(name, content)

    committed, by_hook = repository.commit("notes.txt", "A note.\n")

    assert committed, by_hook
    assert by_hook == {hook["name"]: "Passed" for hook in HOOKS}


@pytest.mark.parametrize(("name", "content", "hook"), BAD.values(), ids=BAD)
def test_a_bad_file_is_not_committed(repository, name, content, hook):
    committed, by_hook = repository.commit(name, content)

    assert not committed
    assert by_hook[hook] == "Failed"


@pytest.mark.parametrize("case", ["unused-import", "python-layout", "typescript-layout"])
def test_what_a_hook_mended_is_committed_by_the_next_try(repository, case):
    name, content, _ = BAD[case]
    repository.commit(name, content)
    mended = (repository.folder / name).read_text()

    committed, by_hook = repository.commit(name, mended)

    assert mended != content
    assert committed, by_hook


def test_a_python_commit_runs_nothing_of_npm_and_needs_no_node_modules(repository):
    (modules := repository.folder / "labextension/node_modules").unlink()

    committed, by_hook = repository.commit(*GOOD["python"])

    modules.symlink_to(ROOT / "labextension/node_modules")
    assert committed, by_hook
    assert by_hook["ruff check"] == by_hook["ruff format"] == by_hook["codespell"] == "Passed"
    assert by_hook["prettier"] == "Skipped"


def test_a_typescript_commit_runs_prettier_and_not_ruff(repository):
    committed, by_hook = repository.commit(*GOOD["typescript"])

    assert committed
    assert by_hook["prettier"] == "Passed"
    assert by_hook["ruff check"] == by_hook["ruff format"] == "Skipped"


def test_nothing_is_cloned_or_installed():
    configured = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())

    assert {repo["repo"] for repo in configured["repos"]} == {"local"}
    assert {hook["language"] for hook in HOOKS} == {"system"}
    assert {hook["entry"].partition("/")[0] for hook in HOOKS} == {".venv"}
    assert not [hook["id"] for hook in HOOKS if "additional_dependencies" in hook]


def test_every_file_of_the_project_passes():
    """So that nobody's first commit of a file mends what others left.

    Ruff and prettier are left to `make lint`, which runs them over everything.
    """
    done = subprocess.run(
        [PRE_COMMIT, "run", "--all-files"],
        cwd=ROOT,
        env={**os.environ, "SKIP": "ruff-check,ruff-format,prettier"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
