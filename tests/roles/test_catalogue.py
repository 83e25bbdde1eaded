"""The roles file: what it may say, what is told of a broken one, and that the last good one stays."""

import asyncio
import logging
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.errors import CatalogueUnavailable, RoleNotAllowed
from jupyter_wb_aws.roles.catalogue import default_role
from jupyter_wb_aws.roles.catalogue_file import CatalogueFile
from jupyter_wb_aws.roles.parsing import BrokenCatalogue, describe, parse
from jupyter_wb_aws.roles.role import RoleArn
from tests.conftest import NOON, make_token

ARN = "arn:aws:iam::111122223333:role/{}"
GOOD = f"""
request_url = "https://ask.example.com"

[[roles]]
arn = "{ARN.format("analyst")}"
label = "Analyst"
description = "Reads and writes."
region = "us-east-2"
color = "teal"
default = true
allow = [{{ groups = ["analysts"] }}, {{ users = ["bob"] }}, {{ names = ["carol"] }}]
[roles.extra_environment]
AWS_ENDPOINT_URL_S3 = "https://s3.example.com"

[[roles]]
arn = "{ARN.format("auditor")}"
allow = "everyone"

[[roles]]
arn = "{ARN.format("finance-admin")}"
allow = [{{ claims = {{ department = "finance", level = [3, 4], staff = true }} }}]
request_url = "mailto:finance@example.com"
"""


def identity(**claims):
    return make_token(**claims).identity("preferred_username", "groups")


def names(catalogue, **claims):
    return [role.arn.name for role in catalogue.offered_to(identity(**claims))]


def entry(text="", arn="analyst", allow='allow = "everyone"'):
    return f'[[roles]]\narn = "{ARN.format(arn)}"\n{allow}\n{text}\n'


# --- A good file ---------------------------------------------------------------------------


def test_everything_that_a_role_may_have_is_read():
    role = parse(GOOD, NOON).offered_to(identity())[0]
    assert (str(role.arn), role.label, role.description) == (
        ARN.format("analyst"),
        "Analyst",
        "Reads and writes.",
    )
    assert (role.region, role.color, role.default) == ("us-east-2", "teal", True)
    assert role.request_url == "https://ask.example.com"
    assert role.extra_environment == {"AWS_ENDPOINT_URL_S3": "https://s3.example.com"}


def test_a_role_needs_no_more_than_an_arn_and_a_rule():
    (role,) = parse(entry(), NOON).offered_to(identity())
    assert (role.label, role.description, role.region, role.color) == ("analyst", "", None, None)
    assert (role.default, role.request_url, role.extra_environment) == (False, None, {})


def test_users_are_offered_what_a_rule_gives_them_in_the_files_order():
    catalogue = parse(GOOD, NOON)
    assert names(catalogue) == ["analyst", "auditor"]
    assert names(catalogue, sub="bob", groups=[]) == ["analyst", "auditor"]
    assert names(catalogue, preferred_username="carol", groups=[]) == ["analyst", "auditor"]
    assert names(catalogue, preferred_username="bob", groups=[]) == ["auditor"]
    assert names(catalogue, sub="eve", preferred_username="eve", groups=[]) == ["auditor"]
    finance = {"department": "finance", "level": 4, "staff": True}
    assert names(catalogue, groups=[], **finance) == ["auditor", "finance-admin"]
    assert names(catalogue, groups=[], **{**finance, "staff": False}) == ["auditor"]


def test_a_changed_token_of_the_same_user_is_judged_anew():
    catalogue = parse(GOOD, NOON)
    assert names(catalogue) == ["analyst", "auditor"]
    assert names(catalogue, groups=["interns"]) == ["auditor"]
    assert names(catalogue) == ["analyst", "auditor"]


def test_the_same_user_is_matched_once(monkeypatch):
    catalogue = parse(GOOD, NOON)
    assert catalogue.offered_to(identity()) is catalogue.offered_to(identity())


@pytest.mark.parametrize("text", ["", "# nothing", 'request_url = "https://x.example.com"'])
def test_a_file_that_was_cut_off_is_not_taken_for_an_empty_list(text):
    with pytest.raises(BrokenCatalogue, match="names no roles"):
        parse(text, NOON)


def test_an_empty_list_offers_nothing():
    assert parse("roles = []", NOON).offered_to(identity()) == []


@pytest.mark.parametrize("url", ["https://x", "http://x", "mailto:x@example.com"])
def test_a_role_says_where_to_ask_for_it(url):
    (role,) = parse(entry(f'request_url = "{url}"'), NOON).offered_to(identity())
    assert role.request_url == url


# --- Picking -------------------------------------------------------------------------------


def test_an_offered_role_can_be_picked():
    arn = RoleArn.parse(ARN.format("analyst"))
    assert parse(GOOD, NOON).pick(identity(), arn).arn == arn


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("finance-admin", "mailto:finance@example.com"),
        ("unheard-of", "https://ask.example.com"),
        ("team/analyst", "https://ask.example.com"),
    ],
)
def test_a_role_that_is_not_offered_is_refused_with_where_to_ask(name, url):
    with pytest.raises(RoleNotAllowed) as refused:
        parse(GOOD, NOON).pick(identity(), RoleArn.parse(ARN.format(name)))
    assert refused.value.request_url == url
    assert refused.value.as_problem()["request_url"] == url
    assert url in refused.value.hint


def test_without_a_place_to_ask_none_is_named():
    with pytest.raises(RoleNotAllowed) as refused:
        parse(entry(), NOON).pick(identity(), RoleArn.parse(ARN.format("x")))
    assert refused.value.request_url is None
    assert "Ask for this" not in refused.value.hint


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_a_role_of_another_partition_is_another_role(partition):
    arn = RoleArn.parse(ARN.format("auditor").replace("arn:aws:", f"arn:{partition}:"))
    with pytest.raises(RoleNotAllowed):
        parse(GOOD, NOON).pick(identity(), arn)


def test_the_default_role_is_the_configured_one_else_the_first_marked_so():
    roles = parse(GOOD, NOON).offered_to(identity())
    assert default_role(roles, ARN.format("auditor")).arn.name == "auditor"
    assert default_role(roles, "").arn.name == "analyst"
    assert default_role(roles, ARN.format("finance-admin")) is None
    assert default_role(roles[1:], "") is None


# --- A broken file -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("roles = ", 1, "Invalid value"),
        ("\n\nroles == 1", 3, "Invalid value"),
        ("[[roles]]\n[[roles", 2, ""),
        ('a = """', 1, ""),
        ("role = []", None, "unknown key `role` (known: request_url, roles, roles_from_claim)"),
        ("roles = 7", None, "[[roles]] tables"),
        ("roles = [7]", None, "[[roles]] tables"),
        ("[roles]\na = 1", None, "[[roles]] tables"),
        ('request_url = "javascript:alert(1)"', None, "must begin with https://"),
        ("request_url = 7", None, "`request_url` must be a text"),
        ("[[roles]]", 1, "six parts"),
        ("[[roles]]\narn = 7", 1, "`arn` must be a text"),
        ('[[roles]]\narn = "analyst"', 1, "six parts"),
        (entry() + entry('lable = "A"', "b"), 5, "unknown key `lable`"),
        (entry() + entry(), 5, "listed twice"),
        (entry() + "# [[roles]]\n" + entry("default = 1", "b"), 6, "true or false"),
        (entry('default = "yes"'), 1, "true or false"),
        (entry('region = "us east"'), 1, "no region"),
        (entry('region = "evil.com/#"'), 1, "no region"),
        (entry(r'label = "a\nb"'), 1, "`label` must be a text in one line"),
        (entry(r'label = "\u202Egnp"'), 1, "`label` must be a text in one line"),
        (entry("color = [1]"), 1, "`color` must be a text"),
        (entry('request_url = "file:///x"'), 1, "`request_url` of the role analyst"),
        (entry(allow=""), 1, "needs `allow"),
        (entry(allow='allow = "all"'), 1, "needs `allow"),
        (entry(allow="allow = true"), 1, "needs `allow"),
        (entry(allow="allow = []"), 1, "needs `allow"),
        (entry(allow='allow = ["alice"]'), 1, "needs `allow"),
        (entry(allow="allow = [{}]"), 1, "has no users, names, groups or claims"),
        (entry(allow="allow = [{claims = {}}]"), 1, "has no users, names, groups or claims"),
        (entry(allow="allow = [{claims = 7}]"), 1, "has no users, names, groups or claims"),
        (entry(allow='allow = [{group = ["x"]}]'), 1, "unknown key `group`"),
        (entry(allow='allow = [{users = "alice"}]'), 1, "`users` of the role analyst must be a list"),
        (entry(allow="allow = [{users = [1.5]}]"), 1, "must be a list"),
        (entry(allow='allow = [{names = "alice"}]'), 1, "`names` of the role analyst must be a list"),
        (entry(allow="allow = [{claims = {a = {b = 1}}}]"), 1, "`claims` of the role analyst"),
        (entry("[roles.extra_environment]\nAWS_PROFILE = 'x'"), 1, "belongs to the role session"),
        (entry("[roles.extra_environment]\n'A B' = 'x'"), 1, "no name of an environment variable"),
        (entry("[roles.extra_environment]\nA = 7"), 1, "the value of A is no text"),
        (entry("extra_environment = 7"), 1, "it is no table"),
        ("a = " + "9" * 5000, None, "4300 digits"),
        ("a = " + "[" * 5000, None, "nested too deeply"),
    ],
)  # fmt: skip
def test_a_broken_file_is_told_with_line_and_reason(text, line, reason):
    with pytest.raises(BrokenCatalogue) as broken:
        parse(text, NOON)
    assert reason in broken.value.reason
    assert broken.value.line == line
    assert describe(broken.value).startswith(f"line {line}: " if line else broken.value.reason)


@pytest.mark.parametrize(
    "rule",
    [
        '{users = [], groups = ["analysts"]}',
        '{groups = [], users = ["alice"]}',
        "{claims = {department = []}}",
        '{names = [], groups = ["analysts"]}',
        "{users = []}",
        "{names = []}",
        "{users = [], groups = []}",
    ],
)  # fmt: skip
def test_a_condition_without_a_value_is_refused_and_never_left_out(rule):
    # As a template writes it for an empty variable: with the condition left out, the rule would
    # let in more people than before.
    with pytest.raises(BrokenCatalogue):
        parse(entry(allow=f"allow = [{rule}]"), NOON)


def test_a_line_that_can_not_be_known_is_not_guessed():
    text = f'roles = [{{arn = "{ARN.format("x")}"}}]\n# \n'
    with pytest.raises(BrokenCatalogue) as broken:
        parse(text, NOON)
    assert broken.value.line is None


@given(st.text(max_size=300))
def test_random_text_is_a_catalogue_or_broken(text):
    try:
        parse(text, NOON)
    except BrokenCatalogue as broken:
        assert describe(broken)  # noqa: PT017


VALUES = st.sampled_from(
    ["7", "1.5", "true", '""', '"x"', "[]", "[7]", '["a"]', "{}", "{a = 1}", "1979-05-27", "nan",
     '"everyone"', '[{users = ["a"]}]', '[{claims = {a = "b"}}]', f'"{ARN.format("x")}"']
)  # fmt: skip
LINES = st.builds(
    "{} = {}".format,
    st.sampled_from(
        ["arn", "label", "region", "allow", "default", "extra_environment", "roles", "x"]
    ),
    VALUES,
) | st.sampled_from(["[[roles]]", "[roles]", "[roles.extra_environment]", "[[roles.allow]]"])


@given(st.lists(LINES, max_size=8))
def test_random_settings_are_a_catalogue_or_broken(lines):
    try:
        catalogue = parse("\n".join(lines), NOON)
    except BrokenCatalogue as broken:
        assert describe(broken)  # noqa: PT017
    else:
        catalogue.offered_to(identity())


# --- A file that changes -------------------------------------------------------------------


@pytest.fixture
def file(tmp_path, clock):
    return CatalogueFile(tmp_path / "roles.toml", clock)


def replace_with(file, text):
    """Swap the file as editors and Kubernetes do."""
    new = file.path.with_suffix(".new")
    new.write_bytes(text if isinstance(text, bytes) else text.encode())
    new.rename(file.path)


async def test_a_file_is_read_once_while_it_does_not_change(file):
    file.path.write_text(GOOD)
    first = await file.current()
    assert await file.current() is first is file.last_good
    assert first.loaded_at == NOON


async def test_a_changed_file_is_read_again(file, clock):
    file.path.write_text(GOOD)
    await file.current()
    clock.advance(60)
    replace_with(file, entry(arn="new"))
    catalogue = await file.current()
    assert names(catalogue) == ["new"]
    assert catalogue.loaded_at == clock.now()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (entry(allow="allow = 7"), "line 1: the role analyst needs"),
        ("x = [", "line 1: "),
        (b"# one\n# \xff\n", "line 2: the file is not UTF-8"),
        ("a = " + "9" * 5000, "4300 digits"),
    ],
)
async def test_a_broken_file_keeps_the_last_good_catalogue_and_says_so_once(
    file, caplog, text, told
):
    file.path.write_text(GOOD)
    good = await file.current()
    replace_with(file, text)
    for _ in range(3):
        assert await file.current() is good
    assert told in describe(file.problem)
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert told in errors[0]
    assert "the last good one stays in force" in errors[0]


async def test_a_mended_file_is_taken_again(file):
    replace_with(file, GOOD)
    await file.current()
    replace_with(file, "broken =")
    await file.current()
    assert file.problem
    replace_with(file, entry(arn="mended"))
    assert names(await file.current()) == ["mended"]
    assert file.problem is None


@pytest.mark.parametrize("text", ["broken =", b"\xff", None])
async def test_without_a_good_file_the_reason_goes_to_the_administrator(file, text):
    if text is not None:
        replace_with(file, text)
    with pytest.raises(CatalogueUnavailable) as failed:
        await file.current()
    assert str(file.path) in failed.value.admin_hint
    assert str(file.path) not in failed.value.detail
    replace_with(file, GOOD)
    assert names(await file.current()) == ["analyst", "auditor"]


async def test_a_file_that_vanishes_and_comes_back_is_followed(file, caplog):
    file.path.write_text(GOOD)
    good = await file.current()
    aside = file.path.rename(file.path.with_suffix(".aside"))
    for _ in range(3):
        assert await file.current() is good
    assert "No such file" in describe(file.problem)
    assert sum(record.levelno == logging.ERROR for record in caplog.records) == 1
    aside.rename(file.path)
    await file.current()
    assert file.problem is None


async def test_kubernetes_swap_of_the_data_link_is_followed(tmp_path, clock):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "roles.toml").write_text(entry(arn=name))
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "roles.toml").symlink_to("..data/roles.toml")
    file = CatalogueFile(tmp_path / "roles.toml", clock)
    before = names(await file.current())
    (tmp_path / "..tmp").symlink_to("two")
    (tmp_path / "..tmp").rename(tmp_path / "..data")
    assert (before, names(await file.current())) == (["one"], ["two"])


async def test_a_fifo_or_folder_in_the_files_place_hangs_nobody(tmp_path, clock):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, tmp_path / "a\0b"):
        with pytest.raises(CatalogueUnavailable):
            await asyncio.wait_for(CatalogueFile(path, clock).current(), 5)


async def test_many_readers_at_once_read_once(file, caplog):
    caplog.set_level(logging.INFO)
    file.path.write_text(GOOD)
    catalogues = await asyncio.gather(*(file.current() for _ in range(20)))
    assert len({id(catalogue) for catalogue in catalogues}) == 1
    assert sum("(roles: 3)" in record.getMessage() for record in caplog.records) == 1


async def test_a_file_that_may_not_be_read_is_told_so(file, monkeypatch):
    file.path.write_text(GOOD)
    await file.current()
    replace_with(file, entry(arn="new"))

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(file.path), "read_bytes", refuse)  # root may read anything
    await file.current()
    assert describe(file.problem) == "the file can't be read: Permission denied"
    monkeypatch.undo()
    assert names(await file.current()) == ["new"]


async def test_a_byte_order_mark_does_not_count(file):
    replace_with(file, b"\xef\xbb\xbf" + entry().encode())
    assert names(await file.current()) == ["analyst"]
