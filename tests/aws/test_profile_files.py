"""Our reader of profile files against botocore's own, on texts and bytes of every kind."""

import locale
import os
import subprocess
import sys

import pytest
from botocore import configloader
from botocore.exceptions import ConfigNotFound, ConfigParseError
from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_wb_aws.aws.profile_files import (
    ProfileFile,
    ProfileParseError,
    default_section,
    parse,
    profiles_in,
    services_of,
)
from jupyter_wb_aws.aws.profile_paths import (
    VARIABLES,
    boto3_path,
    expand_user,
    expand_variables,
    text_encoding,
)

ENCODING = locale.getpreferredencoding(False)
PIECES = [
    b"[default]", b"[profile a]", b"[profile default]", b'[profile "a b"]', b"[profile a", b"[a] ; x", b"[it's mine]",
    b"[profile it's]", b"[services s]", b"[DEFAULT]", b"[ default ]", b"[]", b"region = x", b"region: x", b"region",
    b"= x", b"s3 =", b"  a = b", b"  junk", b"\tregion = y", b"# c", b"; c", b" # c", b"", b" ", b"Region=z", b"\xe4",
    b"\xef\xbb\xbf", b"\xc3\xa4 = \xc3\xa4", b"\x00", b"\x0b", b"\xc2\x85", b"\xe2\x80\xa8x", b"%(x)s = %", b"services = s",
]  # fmt: skip
texts = st.lists(
    st.tuples(st.sampled_from(PIECES), st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\r", b""])),
    max_size=12,
).map(lambda lines: b"".join(piece + end for piece, end in lines))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("aws") / "config"


@given(content=st.one_of(texts, st.binary(max_size=60)))
@example(content=b"\xef\xbb\xbf[default]\nregion = x\n")
@example(content=b"[default]\n# f\xfcr\nregion = x\n")
@example(content=b"[it's mine]\nregion = x\n")
@example(content=b"[DEFAULT]\nregion = x\n[default]\n")
@example(content=b"[default]\ns3 =\n  a = b\n\n  # c\n  d = e\n")
@example(content=b"[default]\ns3 =\n  junk\n")
@example(content=b"[default]\rregion = x\r")
def test_a_file_is_read_as_botocore_reads_it_or_refused_where_botocore_refuses(file, content):
    file.write_bytes(content)
    try:
        theirs = configloader.raw_config_parse(str(file))
    except ConfigParseError:
        theirs = None
    try:
        ours = parse(content, ENCODING)
    except ProfileParseError as refused:
        ours, line = None, refused.line
    if ours is None or theirs is None:
        assert ours is theirs
        assert line is None or 1 <= line <= len(content.splitlines()) + 1
        return
    assert ours.sections == theirs
    built = configloader.build_profile_map(theirs)
    assert {n: theirs[s] for n, s in profiles_in(ours, is_config=True).items()} == built["profiles"]
    assert default_section(ours, is_config=True) == built["profiles"].get("default", {})
    assert default_section(ours, is_config=False) == theirs.get("default", {})
    for name in ("s", "a", "none"):
        assert services_of({"services": name}, ours) == built["services"].get(name)


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"\xef\xbb\xbf[default]\n", 1, "byte order mark"),
        (b"[default]\nregion = x\n# f\xfcr\n", 3, "not UTF-8"),
        ("[default]\nregion = x\n".encode("utf-16"), 1, "it is UTF-16"),
        (b"\xfe\xff" + "[default]\nregion = x\n".encode("utf-16-be"), 1, "it is UTF-16"),
        (b"# mine\n[default\nregion = x\n", 2, "its `[` has no `]`"),
        (b"[default]\n" + b"# c\n" * 5000 + b"\xff\n", 5002, "not UTF-8"),
        (b"# c\nregion = x\n", 2, "before the first [section]"),
        (b"[default]\n[a]\n[default]\n", 3, "`default` occurs twice"),
        (b"[default]\nregion = x\nregion = y\n", 3, "`region` occurs twice in `default`"),
        (b"[default]\ns3 =\n  a = b\n  # c\n  junk\n", 5, "below `s3` has no `=`"),
        (b"[DEFAULT]\ns3 =\n  junk\n[default]\n", 3, "below `s3` has no `=`"),
        (b"[default]\nregion = x\n[profile a\n", 3, "neither a [section] nor"),
        (b"[default]\n\njunk\n[a\n", 3, "neither a [section] nor"),
        (b"[default]\na" + b" " * 300 + b"b\n", 2, "so many blanks"),
    ],
)
def test_a_refusal_names_line_and_reason_and_no_value(content, line, reason):
    with pytest.raises(ProfileParseError) as refused:
        parse(content)
    assert (refused.value.line, reason in refused.value.reason) == (line, True)


def test_a_misplaced_secret_is_in_no_refusal():
    secret = b"wJalrXUtnFEMI+K7MDENG"
    for content in (secret, b"[a]\n" + secret, b"[a]\n%s==\n%s==\n" % (secret, secret)):
        with pytest.raises(ProfileParseError) as refused:
            parse(content)
        assert secret.decode() not in f"{refused.value} {refused.value.reason!r}"


def test_each_option_and_header_has_its_line():
    file = parse(
        b"# c\r\n[DEFAULT]\r\noutput = json\r\n[default]\r\n  region = x\n  s3 =\n    a = b\n  retry_mode = standard\n"
    )
    assert file.line_of("default", "region") == 5
    assert file.line_of("default", "output") == 3
    assert file.line_of("default", "retry_mode") == 8
    assert file.headers == {"DEFAULT": 2, "default": 4}
    assert ProfileFile().line_of("default", "region") is None


def test_a_long_run_of_blanks_is_refused_before_anything_takes_long():
    for blank in (" ", "\t", "\u00a0"):
        with pytest.raises(ProfileParseError):
            parse(f"[default]\na{blank * 200_000}b\n".encode())


names = st.text(st.sampled_from("$~{}/abHOME_x\0.ä"), max_size=20)


@given(
    path=st.one_of(names, st.sampled_from(["~", "~/x", "$HOME/x", "${HOME}/x", "~root/x", "~no-such/x", "${a{b}", "$$HOME"])),
    home=st.sampled_from([None, "", "/", "/home/x", "/home/x/", "$a"]),
)  # fmt: skip
def test_paths_are_expanded_as_python_expands_them(path, home):
    environment = {"a": "A$b", "b": "B", "a{b": "odd"} | ({} if home is None else {"HOME": home})
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        expanded, user = os.path.expandvars(path), _expanduser(path)
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert expand_variables(path, environment) == expanded
    assert expand_user(path, environment) == user


def _expanduser(path):
    try:
        return os.path.expanduser(path)  # noqa: PTH111 - what botocore calls
    except ValueError:  # a NUL in a user's name
        return path


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize(
    "value", [None, "", "$HOME/c", "${HOME}/c", "~/c", "$NOT_SET/c", "/x/$HOME", "relative"]
)
def test_the_file_of_a_variable_is_the_one_that_botocore_reads(
    monkeypatch, tmp_path, variable, value
):
    import botocore.session

    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "NOT_SET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    if value is not None:
        monkeypatch.setenv(variable, value)
    logical = "config_file" if variable == "AWS_CONFIG_FILE" else "credentials_file"
    named = botocore.session.Session().get_config_variable(logical)
    with pytest.raises(ConfigNotFound) as not_found:
        configloader.raw_config_parse(named)
    assert boto3_path(os.environ, variable) == not_found.value.kwargs["path"]


@pytest.mark.parametrize(
    "variables",
    [
        {}, {"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}, {"LANG": "C", "PYTHONUTF8": "0"},
        {"LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0"},
        {"LC_ALL": "", "LANG": "C.UTF-8"}, {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "0"}, {"LC_ALL": "C", "PYTHONUTF8": "1"},
        {"LC_ALL": "nonsense"}, {"LC_ALL": "x.nonsense"},
    ],
)  # fmt: skip
def test_the_encoding_is_the_one_in_which_python_opens_text(variables):
    script = "import locale; print(locale.getpreferredencoding(False))"
    done = subprocess.run(
        [sys.executable, "-c", script], env=variables, capture_output=True, text=True, check=True
    )
    names = {"utf-8": "utf-8", "ANSI_X3.4-1968": "ascii", "UTF-8": "utf-8", "US-ASCII": "ascii"}
    assert text_encoding(variables) == names[done.stdout.strip()]


def test_the_encoding_of_a_named_locale_is_that_of_its_codeset():
    assert text_encoding({"LC_ALL": "de_DE.ISO-8859-15@euro"}) == "iso8859-15"
    assert text_encoding({"LC_CTYPE": "zh_CN.GBK"}) == "gbk"
    assert text_encoding({"LANG": "de_DE"}) == "utf-8"
