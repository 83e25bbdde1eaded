"""Which of the user's own ~/.aws files override the role in some SDK."""

import os
import re

import pytest
from botocore.credentials import BotoProvider
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.aws.file_conflicts import describe_conflict, find_conflict, hidden_files_message
from jupyter_wb_aws.aws.profile_paths import BOTO2_FILES, BOTO2_VARIABLE
from jupyter_wb_aws.aws.profile_values import CHECKS
from tests.aws.profiles import CONFLICTING, STATIC


@pytest.fixture
def home(tmp_path):
    (tmp_path / ".aws").mkdir()
    return tmp_path


@pytest.mark.parametrize(("file", "text", "key"), CONFLICTING)
def test_a_conflict_is_found_and_named(home, file, text, key):
    (home / ".aws" / file).write_text(text)
    conflict = find_conflict({"HOME": str(home)})
    assert conflict == (f"{key} of [default] in {home}/.aws/{file}" if key else None)


def test_without_files_or_a_home_there_is_no_conflict(tmp_path):
    assert find_conflict({"HOME": str(tmp_path)}) is None
    assert find_conflict({"HOME": "/no/such/home"}) is None
    assert find_conflict({}) is None


@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_files_named_by_a_variable_are_checked_instead_of_the_default(home, variable):
    usual = "config" if variable == "AWS_CONFIG_FILE" else "credentials"
    (home / ".aws" / usual).write_text(f"[default]\n{STATIC}")
    (home / "other").write_text("[default]\nregion = x\n")
    environment = {"HOME": str(home), variable: str(home / "other")}
    assert find_conflict(environment) is None
    (home / "other").write_text("[default]\ncredential_process = x\n")
    assert find_conflict(environment) == f"credential_process of [default] in {home}/other"


def test_an_empty_variable_means_the_default_file(home):
    (home / ".aws" / "config").write_text("[default]\ncredential_process = x\n")
    assert find_conflict({"HOME": str(home), "AWS_CONFIG_FILE": ""})


def test_a_tilde_is_the_home_of_the_process_that_starts(home, monkeypatch):
    monkeypatch.setenv("HOME", "/no/such/home")
    (home / "mine").write_text("[default]\ncredential_process = x\n")
    assert find_conflict({"HOME": str(home), "AWS_CONFIG_FILE": "~/mine"})


@pytest.mark.parametrize("name", ["~no-such-user/config", "/dev/null", "/", "/no/such", "a\0b"])
def test_a_path_without_a_file_is_not_a_conflict(name):
    assert find_conflict({"HOME": "/no/such/home", "AWS_CONFIG_FILE": name}) is None


@pytest.mark.parametrize(
    "text",
    [
        "[default\nregion = x\n", "region = x\n", "[default]\nregion = x\n[default]\noutput = y\n",
        "[default]\nregion = x\nregion = y\n", "[default]\nno value\n", "\x00",
    ],
)  # fmt: skip
def test_a_file_that_breaks_some_sdk_is_a_conflict(home, text):
    (home / ".aws" / "config").write_text(text)
    conflict = find_conflict({"HOME": str(home)})
    named = re.escape(f"{home}/.aws/config")
    assert re.fullmatch(rf"{named}, which can't be read as a profile \(.+[^.]\)", conflict)


def test_a_file_of_another_encoding_is_still_read(home):
    (home / ".aws" / "config").write_bytes(
        "[default]\n# für\ncredential_process = x\n".encode("latin-1")
    )
    assert find_conflict({"HOME": str(home)})


def test_a_fifo_does_not_block_a_kernels_start_and_is_a_conflict(home):
    os.mkfifo(home / ".aws" / "credentials")
    assert find_conflict({"HOME": str(home)})


def test_a_folder_in_place_of_a_file_is_not_a_conflict(home):
    folder = home / ".aws" / "credentials"
    folder.mkdir()
    assert find_conflict({"HOME": str(home)}) is None


def test_a_byte_order_mark_does_not_hide_the_profile(home):
    (home / ".aws" / "config").write_text("\ufeff[default]\ncredential_process = x\n")
    assert find_conflict({"HOME": str(home)})


HEADERS = [
    "[default]",
    "[profile default]",
    "[DEFAULT]",
    "[services]",
    "[services a]",
    "[services 'a]",
    "[profile a]",
]
SETTINGS = st.builds(
    "{0} = {1}".format,
    st.sampled_from([*CHECKS, "services", "endpoint_url", "sts", "csm_enabled", "csm_port"]),
    st.sampled_from(["", "a", "true", "http://x", "\n  endpoint_url = http://x", "\n  a = b"]),
)


@given(
    *[st.lists(st.sampled_from(HEADERS) | SETTINGS, max_size=8).map("\n".join) for _ in range(2)]
)
def test_no_settings_in_any_section_keep_a_process_from_starting(
    tmp_path_factory, config, credentials
):
    home = tmp_path_factory.getbasetemp() / "settings"
    (home / ".aws").mkdir(parents=True, exist_ok=True)
    (home / ".aws" / "config").write_text(config)
    (home / ".aws" / "credentials").write_text(credentials)
    conflict = find_conflict({"HOME": str(home)})
    assert conflict is None or str(home) in conflict


@given(st.text(max_size=200))
def test_any_text_is_read_or_reported_as_unreadable(tmp_path_factory, text):
    home = tmp_path_factory.getbasetemp() / "random"
    (home / ".aws").mkdir(parents=True, exist_ok=True)
    (home / ".aws" / "config").write_bytes(text.encode("utf-8", "surrogatepass"))
    conflict = find_conflict({"HOME": str(home)})
    assert conflict is None or str(home) in conflict


# --- What botocore reads, and where ----------------------------------------------------------


@pytest.mark.parametrize("file", ["config", "credentials"])
@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf[default]\nregion = eu-west-1\n", b"[default]\n# f\xfcr\nregion = eu-west-1\n",
        b"[default]\ns3 =\n  junk\n", b"[profile a]\n[profile a]\n", b"[default]\nx" + b" " * 100_000 + b"y\n",
    ],
)  # fmt: skip
def test_a_file_on_which_boto3_fails_is_a_conflict(home, file, content):
    (home / ".aws" / file).write_bytes(content)
    conflict = find_conflict({"HOME": str(home)})
    named = re.escape(f"{home}/.aws/{file}")
    assert re.fullmatch(rf"{named}, which can't be read as a profile \(.+[^.]\)", conflict)


@pytest.mark.parametrize(
    "content",
    [
        b"[it's mine]\nregion = x\n", b"[profile it's]\n", b"[profile a]\nregion: eu-west-1\n", b"[default] ; mine\nregion = x-1\n",
        "[default]\n# für\nregion = eu-west-1\n".encode(), b"", b"\n\n", b"[default]\r\nregion = eu-west-1\r\n",
        b"[default]\ns3 =\n  addressing_style = path\n\n  max_queue_size = 5\n", b"[profile a b c]\nx = 1\n", b"[sso-session s]\n",
    ],
)  # fmt: skip
def test_a_readable_file_without_credentials_is_not_a_conflict(home, content):
    (home / ".aws" / "config").write_bytes(content)
    assert find_conflict({"HOME": str(home)}) is None


@pytest.mark.parametrize(
    "name", ["$HOME/work.cfg", "${HOME}/work.cfg", "~/work.cfg", "$W/work.cfg"]
)
@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_a_literal_dollar_is_expanded_as_boto3_expands_it(home, variable, name):
    (home / "work.cfg").write_text("[default]\ncredential_process = x\n")
    conflict = find_conflict({"HOME": str(home), "W": str(home), variable: name})
    assert conflict == f"credential_process of [default] in {home}/work.cfg"


def test_a_file_that_only_other_sdks_find_counts_too(home):
    (home / ".aws" / "config").write_text("[default]\ncredential_process = x\n")
    odd = home / "$HOME"
    odd.write_text("[default]\ncredential_process = x\n")
    assert find_conflict(
        {"HOME": str(home), "AWS_CONFIG_FILE": ""}
    )  # boto3 reads none, JavaScript the usual
    assert find_conflict({"HOME": "/no/such/home", "AWS_CONFIG_FILE": str(odd)})


def test_a_relative_path_is_relative_to_the_process_folder(home):
    (home / "work.cfg").write_text("[default]\ncredential_process = x\n")
    environment = {"HOME": "/no/such/home", "AWS_CONFIG_FILE": "work.cfg"}
    assert (
        find_conflict(environment, str(home))
        == f"credential_process of [default] in {home}/work.cfg"
    )
    assert find_conflict(environment, "/") is None
    assert "relative path work.cfg" in find_conflict(environment, None)


def test_the_home_of_a_process_without_home_is_that_of_its_user(home, monkeypatch):
    class Entry:
        pw_dir = str(home)

    monkeypatch.setattr("pwd.getpwuid", lambda _uid: Entry)
    (home / ".aws" / "config").write_text("[default]\ncredential_process = x\n")
    assert find_conflict({}) == f"credential_process of [default] in {home}/.aws/config"


def test_devices_links_and_folders_block_nothing(home):
    config = home / ".aws" / "config"
    environment = {"HOME": str(home)}
    for target, kept_away in (
        ("config", False),
        ("/dev/null", False),
        ("/dev/zero", True),
        ("/", False),
    ):
        config.unlink(missing_ok=True)
        config.symlink_to(target)
        assert (find_conflict(environment) is not None) is kept_away, target


def test_a_file_that_may_not_be_opened_is_a_conflict(home, monkeypatch):
    (home / ".aws" / "config").write_text("")

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr("os.open", refuse)
    assert find_conflict({"HOME": str(home)})


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"[default]\nregion = x-1\n  {STATIC.splitlines()[0]}\n", "aws_access_key_id"),
        (f"[profile a]\nregion = x-1\n  [default]\n{STATIC}", "aws_access_key_id"),
        ("[default]\ns3 =\n  a = b\naws_access_key_id = x\n", "aws_access_key_id"),
        ("[default]\ns3 =\n  aws_access_key_id = x\n", None),
        ("[default]\nnote = x # \n  # aws_access_key_id = x\n", None),
    ],
)
def test_credentials_that_only_javascript_finds_are_a_conflict_too(home, text, key):
    (home / ".aws" / "config").write_text(text)
    conflict = find_conflict({"HOME": str(home)})
    assert conflict == (f"{key} of [default] in {home}/.aws/config" if key else None)


@pytest.mark.parametrize("locale", [{"LC_ALL": "zh_TW.BIG5"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_a_file_that_the_locale_can_not_read_is_a_conflict(home, locale):
    (home / ".aws" / "config").write_text("[default]\n# für Ärzte\n", encoding="utf-8")
    assert find_conflict({"HOME": str(home)}) is None
    assert find_conflict({"HOME": str(home), **locale})


def test_the_credentials_file_overrides_the_config_file(home):
    (home / ".aws" / "config").write_text("[default]\nmax_attempts = x\n")
    assert find_conflict({"HOME": str(home)}) == f"max_attempts of [default] in {home}/.aws/config"
    (home / ".aws" / "credentials").write_text("[default]\nmax_attempts = 3\n")
    assert find_conflict({"HOME": str(home)}) is None


def test_a_file_that_is_too_long_to_check_is_a_conflict_but_not_called_broken(home):
    (home / ".aws" / "config").write_text("[a]\n" + "# x\n" * 300_000)
    reason = f"{home}/.aws/config, which is too long to check,"
    assert find_conflict({"HOME": str(home)}) == reason


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AWS_ENDPOINT_URL": "http://store"}, "ignore_configured_endpoint_urls"),
        ({"AWS_ENDPOINT_URL_S3": "http://store"}, "ignore_configured_endpoint_urls"),
        ({}, None),
        (
            {"AWS_ENDPOINT_URL": "http://store", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"},
            None,
        ),
    ],
)
def test_a_profile_that_ignores_the_endpoints_of_a_role_is_a_conflict(home, variables, expected):
    file = home / ".aws" / "config"
    file.write_text("[default]\nignore_configured_endpoint_urls = true\n")
    found = find_conflict({"HOME": str(home), **variables})
    assert found == (f"{expected} of [default] in {file}" if expected else None)


def test_an_unreadable_file_is_explained_with_the_line(home):
    (home / ".aws" / "config").write_bytes(b"\xef\xbb\xbf[default]\nregion = eu-west-1\n")
    conflict = hidden_files_message(find_conflict({"HOME": str(home)}))
    assert conflict.startswith(
        f"{home}/.aws/config can't be read as a profile (line 1: it begins with a byte order mark (BOM)). "
    )
    assert "correct that file" in conflict
    assert "would override" not in conflict


def test_a_file_that_is_too_long_is_explained(home):
    (home / ".aws" / "config").write_bytes(b"#" * 2_000_000)
    conflict = hidden_files_message(find_conflict({"HOME": str(home)}))
    assert conflict.startswith(f"{home}/.aws/config is too long to check. ")


def test_a_key_that_overrides_the_role_is_named(home):
    (home / ".aws" / "config").write_text("[default]\ncredential_process = x\n")
    conflict = hidden_files_message(find_conflict({"HOME": str(home)}))
    assert conflict.startswith(
        f"credential_process of [default] in {home}/.aws/config would override"
    )
    assert describe_conflict("x of [default] in y", "will win.") == "x of [default] in y will win."


# --- The credential endpoint -----------------------------------------------------------------

ENDPOINT = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/credentials"}
BOTO2 = f"[Credentials]\n{STATIC}"


@pytest.mark.parametrize(("file", "text", "key"), CONFLICTING)
def test_what_conflicts_with_a_web_identity_conflicts_with_the_endpoint_too(home, file, text, key):
    (home / ".aws" / file).write_text(text)
    conflict = find_conflict({"HOME": str(home), **ENDPOINT})
    assert conflict == (f"{key} of [default] in {home}/.aws/{file}" if key else None)


@pytest.mark.parametrize(
    ("text", "conflict"),
    [
        (BOTO2, "aws_access_key_id of [Credentials] in {}"),
        ("[Credentials]\naws_access_key_id = a\naws_access_key_id = b\n", "{}, which can't be read by boto3 (line 3: `aws_access_key_id` occurs twice in `Credentials`)"),
        ("[Credentials]\ngs_access_key_id = a\n[GSUtil]\nx = y\n", None),
        (f"[credentials]\n{STATIC}", None),
        ("# [Credentials]\n", None),
        ("", None),
    ],
)  # fmt: skip
def test_a_file_of_boto_2_conflicts_with_the_endpoint_only(home, text, conflict):
    (home / ".boto").write_text(text)
    (home / "mine").write_text(text)
    for file, variables in ((".boto", {}), ("mine", {"BOTO_CONFIG": "$HOME/mine"})):
        environment = {"HOME": str(home), **variables}
        assert find_conflict(environment) is None
        expected = conflict and conflict.format(home / file)
        assert find_conflict({**environment, **ENDPOINT}) == expected


def test_boto_config_hides_the_other_files_of_boto_2(home):
    (home / ".boto").write_text(BOTO2)
    (home / "empty").write_text("# nothing\n")
    named = {"HOME": str(home), "BOTO_CONFIG": str(home / "empty"), **ENDPOINT}
    assert find_conflict(named) is None
    assert find_conflict({**named, "BOTO_CONFIG": ""}) is None


def test_the_files_of_boto_2_are_those_that_botocore_reads():
    assert BotoProvider.BOTO_CONFIG_ENV == BOTO2_VARIABLE
    assert tuple(BotoProvider.DEFAULT_CONFIG_FILENAMES) == BOTO2_FILES


def test_the_notice_names_the_files_of_boto_2_if_one_of_them_is_the_reason(home):
    (home / ".boto").write_text(BOTO2)
    message = hidden_files_message(find_conflict({"HOME": str(home), **ENDPOINT}))
    assert f"[Credentials] in {home}/.boto would override this role" in message
    assert "so your own ~/.aws files and the files of boto 2 are hidden" in message


def test_an_sts_endpoint_in_a_profile_does_not_conflict_with_the_endpoint(home):
    (home / ".aws/config").write_text("[default]\nendpoint_url = https://store.example.com\n")
    assert find_conflict({"HOME": str(home)})
    assert find_conflict({"HOME": str(home), **ENDPOINT}) is None
