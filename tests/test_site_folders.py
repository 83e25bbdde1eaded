"""Where our folders may be, by settings and environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_wb_aws import site_folders
from jupyter_wb_aws.site_folders import store_places, token_places


@pytest.fixture(autouse=True)
def jupyters(monkeypatch):
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_PLATFORM_DIRS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "/home/alice/.local/share")


def described(places):
    return [(place.named_by, str(place.path)) for place in places]


UID = os.geteuid()


def test_a_setting_of_the_site_is_the_only_place():
    assert described(token_places("/run/site", {})) == [
        ("WbAwsApp.token_dir", "/run/site/jupyter_wb_aws")
    ]
    assert described(store_places("/srv/site", {})) == [("WbAwsApp.state_dir", "/srv/site")]


def test_token_files_go_to_the_runtime_folders_and_last_to_those_for_temporary_files():
    environment = {"XDG_RUNTIME_DIR": "/run/user/1000", "TMPDIR": "/scratch"}

    assert described(token_places("", environment)) == [
        ("XDG_RUNTIME_DIR", "/run/user/1000/jupyter_wb_aws"),
        ("Jupyter's runtime folder", "/home/alice/.local/share/jupyter/runtime/jupyter_wb_aws"),
        ("TMPDIR", f"/scratch/jupyter_wb_aws-{UID}/jupyter_wb_aws"),
        ("/tmp", f"/tmp/jupyter_wb_aws-{UID}/jupyter_wb_aws"),
    ]


def test_records_go_to_jupyters_data_folder_first_and_never_among_token_files():
    environment = {"XDG_RUNTIME_DIR": "/run/user/1000"}

    places = store_places("", environment)

    assert described(places)[:2] == [
        ("Jupyter's data folder", "/home/alice/.local/share/jupyter/jupyter_wb_aws"),
        ("XDG_RUNTIME_DIR", "/run/user/1000/jupyter_wb_aws-records"),
    ]
    assert not {p.path for p in places} & {p.path for p in token_places("", environment)}


def test_an_empty_variable_counts_as_none():
    assert [name for name, _ in described(token_places("", {"XDG_RUNTIME_DIR": "", "TMPDIR": ""}))] == [
        "Jupyter's runtime folder", "/tmp",
    ]  # fmt: skip


def test_jupyters_variable_is_named(monkeypatch):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", "/run/jupyter")
    monkeypatch.setenv("JUPYTER_DATA_DIR", "/srv/jupyter")

    assert described(token_places("", os.environ))[-2:][0][0] in {"JUPYTER_RUNTIME_DIR", "TMPDIR"}
    assert ("JUPYTER_RUNTIME_DIR", "/run/jupyter/jupyter_wb_aws") in described(
        token_places("", os.environ)
    )
    assert described(store_places("", os.environ))[0] == (
        "JUPYTER_DATA_DIR",
        "/srv/jupyter/jupyter_wb_aws",
    )


def test_this_user_must_own_the_runtime_folder_which_may_have_a_hidden_one():
    place = token_places("", {"XDG_RUNTIME_DIR": "/run/user/1000"})[0]

    assert place.below == Path("/run/user/1000")
    assert place.hidden_path == Path("/run/user/1000/.jupyter_wb_aws")


def test_a_relative_runtime_folder_is_not_below_the_working_directory():
    place = token_places("", {"XDG_RUNTIME_DIR": "run"})[0]

    assert not place.path.is_absolute()


def test_without_a_home_the_other_places_remain(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(site_folders, "jupyter_runtime_dir", no_home)
    monkeypatch.setattr(site_folders, "jupyter_data_dir", no_home)

    assert [place.named_by for place in token_places("", {})] == ["/tmp"]
    assert [place.named_by for place in store_places("", {})] == ["/tmp"]
