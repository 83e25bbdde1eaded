"""The roles file: its settings, messages about a broken one, and that the last good version stays."""

import asyncio
import contextlib
import logging
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.errors import CatalogueUnavailable, RoleNotAllowed
from jupyter_wb_aws.roles import catalogue_file, previous_entries
from jupyter_wb_aws.roles.catalogue import startup_role
from jupyter_wb_aws.roles.catalogue_file import CatalogueFile, describe_bad_entry
from jupyter_wb_aws.roles.catalogue_parser import InvalidCatalogue, describe, parse
from jupyter_wb_aws.roles.file_permissions import explain_unsafe_permissions
from jupyter_wb_aws.roles.role import RoleArn
from tests.botocore_data import PARTITIONS
from tests.conftest import NOON, make_token
from tests.roles.problems import problem_of

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


def test_every_setting_of_a_role_is_read():
    role = parse(GOOD, NOON).offered_to(identity())[0]
    assert (str(role.arn), role.label, role.description) == (
        ARN.format("analyst"),
        "Analyst",
        "Reads and writes.",
    )
    assert (role.region, role.color, role.default) == ("us-east-2", "teal", True)
    assert role.request_url == "https://ask.example.com"
    assert role.extra_environment == {"AWS_ENDPOINT_URL_S3": "https://s3.example.com"}


def test_a_role_needs_only_an_arn_and_a_rule():
    (role,) = parse(entry(), NOON).offered_to(identity())
    assert (role.label, role.description, role.region, role.color) == ("analyst", "", None, None)
    assert (role.default, role.request_url, role.extra_environment) == (False, None, {})


def test_users_are_offered_the_roles_of_their_rules_in_the_files_order():
    catalogue = parse(GOOD, NOON)
    assert names(catalogue) == ["analyst", "auditor"]
    assert names(catalogue, sub="bob", groups=[]) == ["analyst", "auditor"]
    assert names(catalogue, preferred_username="carol", groups=[]) == ["analyst", "auditor"]
    assert names(catalogue, preferred_username="bob", groups=[]) == ["auditor"]
    assert names(catalogue, sub="eve", preferred_username="eve", groups=[]) == ["auditor"]
    finance = {"department": "finance", "level": 4, "staff": True}
    assert names(catalogue, groups=[], **finance) == ["auditor", "finance-admin"]
    assert names(catalogue, groups=[], **{**finance, "staff": False}) == ["auditor"]


def test_a_changed_token_of_the_same_user_is_matched_again():
    catalogue = parse(GOOD, NOON)
    assert names(catalogue) == ["analyst", "auditor"]
    assert names(catalogue, groups=["interns"]) == ["auditor"]
    assert names(catalogue) == ["analyst", "auditor"]


def test_the_same_user_is_matched_once(monkeypatch):
    catalogue = parse(GOOD, NOON)
    assert catalogue.offered_to(identity()) is catalogue.offered_to(identity())


@pytest.mark.parametrize("text", ["", "# nothing", 'request_url = "https://x.example.com"'])
def test_a_file_that_was_cut_off_does_not_count_as_an_empty_list(text):
    with pytest.raises(InvalidCatalogue, match="names no roles"):
        parse(text, NOON)


def test_an_empty_list_offers_nothing():
    assert parse("roles = []", NOON).offered_to(identity()) == []


@pytest.mark.parametrize("url", ["https://x", "http://x", "mailto:x@example.com"])
def test_a_role_may_have_its_own_request_url(url):
    (role,) = parse(entry(f'request_url = "{url}"'), NOON).offered_to(identity())
    assert role.request_url == url


# --- Offering ------------------------------------------------------------------------------


def test_an_offered_role_is_returned():
    arn = RoleArn.parse(ARN.format("analyst"))
    assert parse(GOOD, NOON).get_offered(identity(), arn).arn == arn


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
        parse(GOOD, NOON).get_offered(identity(), RoleArn.parse(ARN.format(name)))
    assert refused.value.request_url == url
    assert refused.value.as_problem()["request_url"] == url
    assert url in refused.value.hint


def test_without_a_request_url_none_is_named():
    with pytest.raises(RoleNotAllowed) as refused:
        parse(entry(), NOON).get_offered(identity(), RoleArn.parse(ARN.format("x")))
    assert refused.value.request_url is None
    assert "Ask for this" not in refused.value.hint


def test_a_refusal_says_to_an_administrator_what_to_change_and_which_groups_the_token_has():
    alice = identity(groups=("data", "staff"))
    with pytest.raises(RoleNotAllowed) as refused:
        parse(entry(), NOON).get_offered(alice, RoleArn.parse(ARN.format("x")))
    assert "give the role in the roles file an `allow` rule" in refused.value.admin_hint
    assert refused.value.admin_hint.endswith("in the token: data, staff.")


CLAIM = '[roles_from_claim]\nclaim = "aws"\naccounts = ["111122223333"]\n'
BY_GROUP = "".join(entry(arn=name, allow=f'allow = [{{groups = ["{name}"]}}]') for name in "abcd")


@given(
    claim=st.booleans(),
    broken=st.sampled_from(
        ["", entry(arn="a", allow="allow = 7"), entry(arn="x", allow="allow = 7")]
    ),
    groups=st.lists(st.sampled_from("abcdx"), unique=True),
    named=st.lists(st.sampled_from("abcdxyz"), unique=True),
)
def test_one_role_is_offered_exactly_if_it_is_in_the_list(claim, broken, groups, named):
    catalogue = parse((CLAIM if claim else "") + broken + BY_GROUP, NOON)
    user = identity(groups=groups, aws=[ARN.format(name) for name in named])
    found = []
    for name in "abcdxyz":
        with contextlib.suppress(RoleNotAllowed):
            found.append(catalogue.get_offered(user, RoleArn.parse(ARN.format(name))))
    assert sorted(found, key=str) == sorted(catalogue.offered_to(user), key=str)


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_a_role_of_another_partition_is_another_role(partition):
    arn = RoleArn.parse(ARN.format("auditor").replace("arn:aws:", f"arn:{partition}:"))
    with pytest.raises(RoleNotAllowed):
        parse(GOOD, NOON).get_offered(identity(), arn)


def test_the_default_role_is_the_configured_one_else_the_first_marked_one():
    roles = parse(GOOD, NOON).offered_to(identity())
    assert startup_role(roles, ARN.format("auditor")).arn.name == "auditor"
    assert startup_role(roles, "").arn.name == "analyst"
    assert startup_role(roles, ARN.format("finance-admin")) is None
    assert startup_role(roles[1:], "") is None


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
        ("roles = [7]", 1, "[[roles]] tables"),
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
        (entry('region = "us east"'), 1, "is not a region"),
        (entry('region = "evil.com/#"'), 1, "is not a region"),
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
        (entry("[roles.extra_environment]\n'A B' = 'x'"), 1, "not the name of an environment variable"),
        (entry("[roles.extra_environment]\nA = 7"), 1, "the value of A is not text"),
        (entry("extra_environment = 7"), 1, "it is not a table"),
        ("a = " + "9" * 5000, None, "4300 digits"),
        ("a = " + "[" * 5000, None, "nested too deeply"),
    ],
)  # fmt: skip
def test_a_broken_file_is_reported_with_line_and_reason(text, line, reason):
    problem = problem_of(text)
    assert reason in problem.reason
    assert problem.line == line
    assert describe(problem).startswith(f"line {line}: " if line else problem.reason)


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
def test_a_condition_without_a_value_is_refused_and_never_ignored(rule):
    # As a template writes it for an empty variable: without the condition, the rule would allow
    # more users than before.
    catalogue = parse(entry(allow=f"allow = [{rule}]"), NOON)
    (problem,) = catalogue.problems
    assert problem.line == 1
    assert catalogue.offered_to(identity(groups=["analysts"], department="")) == []


GOOD_ITEM = f'{{arn = "{ARN.format("x")}", allow = "everyone"}}'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f'roles = [{{arn = "{ARN.format("x")}"}}]\n# \n', 1),
        (f'roles = [\n  {GOOD_ITEM}, # [\n  {{arn = "y",\n  allow = [{{users = ["a"]}}]}},\n]', 3),
        (f'"roles" = [\n{GOOD_ITEM},\n7]', 3),
        ('[["roles"]]\narn = "y"\n', 1),
        ("[[ roles ]] # mine\narn = 7\n", 1),
        (entry('label = \'a\' # """') + "# [[roles]]\n" + entry("x = 1", "b"), 6),
        ("[[roles]]\narn = 7\nlabel = '''\n[[roles]]\n'''\n", 1),
        (
            entry(allow='allow = [{users = ["""\\"\n[[roles]]\n""", "# [["]}]')
            + entry("x = 1", "b"),
            7,
        ),
    ],
)
def test_a_bad_entry_has_its_line_in_any_style_of_the_file(text, line):
    assert problem_of(text).line == line


@given(st.text(max_size=300))
def test_random_text_is_a_catalogue_or_broken(text):
    try:
        parse(text, NOON)
    except InvalidCatalogue as broken:
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
    except InvalidCatalogue as broken:
        assert describe(broken)  # noqa: PT017
    else:
        catalogue.offered_to(identity())
        assert all(map(describe, catalogue.problems))


# --- A bad entry among good ones -------------------------------------------------------------

BAD = [
    'lable = "A"', 'region = "us east"', "default = 7", "label = 7", 'request_url = "file:///x"', "color = [1]",
    'extra_environment = {AWS_PROFILE = "x"}', 'label = "a\\nb"',
]  # fmt: skip
REST = entry(arn="auditor") + entry(arn="operator")


def shown(catalogue):
    return [(bad.arn.name if bad.arn else None, bad.effect) for bad in catalogue.problems]


@pytest.mark.parametrize("wrong", BAD)
def test_on_a_fresh_server_a_bad_entry_is_left_out_and_the_others_stay(wrong):
    catalogue = parse(entry(wrong) + REST, NOON)
    assert names(catalogue) == ["auditor", "operator"]
    assert shown(catalogue) == [("analyst", "left_out")]


@pytest.mark.parametrize("wrong", BAD)
def test_on_a_running_server_the_last_good_version_of_a_bad_entry_stays(wrong):
    before = parse(entry('color = "teal"') + REST, NOON)
    catalogue = parse(REST + entry(wrong), NOON, before)
    assert names(catalogue) == ["auditor", "operator", "analyst"]
    assert catalogue.get_offered(identity(), RoleArn.parse(ARN.format("analyst"))).color == "teal"
    assert shown(catalogue) == [("analyst", "kept")]


def test_the_last_good_version_survives_more_mistakes_and_ends_with_the_entry():
    catalogue = parse(entry('color = "teal"') + REST, NOON)
    for wrong in BAD:
        catalogue = parse(entry(wrong) + REST, NOON, catalogue)
    assert names(catalogue) == ["analyst", "auditor", "operator"]
    assert names(parse(REST, NOON, catalogue)) == ["auditor", "operator"]
    mended = parse(entry('color = "red"') + REST, NOON, catalogue)
    assert (names(mended), mended.problems) == (["analyst", "auditor", "operator"], ())


@pytest.mark.parametrize(
    "allow", ["", 'allow = "evryone"', "allow = 7", "allow = []", 'allow = [{group = ["x"]}]']
)
def test_an_entry_whose_allow_can_not_be_read_is_offered_to_nobody(allow):
    arn = RoleArn.parse(ARN.format("analyst"))
    fresh = parse(entry(allow=allow) + REST, NOON)
    running = parse(entry(allow=allow) + REST, NOON, parse(entry() + REST, NOON))
    for catalogue, effect in ((fresh, "left_out"), (running, "offered_to_nobody")):
        assert names(catalogue) == ["auditor", "operator"]
        assert shown(catalogue) == [("analyst", effect)]
        with pytest.raises(RoleNotAllowed, match="its entry in the roles file has an error"):
            catalogue.get_offered(identity(), arn)
        assert catalogue.may_continue(identity(), arn)
    again = parse(entry() + REST, NOON, running)
    assert names(again) == ["analyst", "auditor", "operator"]


def test_no_claim_offers_a_role_whose_entry_is_bad():
    from_claim = '[roles_from_claim]\nclaim = "aws"\naccounts = ["111122223333"]\n'
    catalogue = parse(from_claim + entry(allow='allow = "x"') + REST, NOON)
    assert names(catalogue, aws=[ARN.format("analyst"), ARN.format("other")]) == [
        "auditor",
        "operator",
        "other",
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(entry().replace("111122223333", "11112222333"), id="a digit too few"),
        pytest.param(entry().replace("iam", "iarn"), id="iarn"), pytest.param(entry().replace(":role/", ":rol/"), id="rol"),
        entry().replace(ARN.format("analyst"), "analyst"), "[[roles]]\nallow = 'everyone'\n", "[[roles]]\nlabel = 'The analyst'\narn = 7\n",
        entry().replace("[[roles]]", "[[rolse]]"), entry().replace("arn =", "Arn ="),
    ],
)  # fmt: skip
def test_an_entry_whose_arn_has_a_typo_is_recognized_by_the_one_that_is_missing(text):
    before = parse(entry('label = "The analyst"') + REST, NOON)
    catalogue = parse(REST + text, NOON, before)
    offered = names(catalogue)
    assert offered[:2] == ["auditor", "operator"]
    assert [bad.arn.name for bad in catalogue.problems] == ["analyst"]
    assert ("analyst" in offered) == (catalogue.problems[0].effect == "kept")


def test_of_two_missing_entries_the_similar_one_is_kept_and_the_other_withdrawn():
    before = parse(entry() + entry(arn="deleted") + REST, NOON)
    catalogue = parse(entry().replace("aws:iam", "aws:iarn") + REST, NOON, before)
    assert names(catalogue) == ["analyst", "auditor", "operator"]
    assert not catalogue.may_continue(identity(), RoleArn.parse(ARN.format("deleted")))


@pytest.mark.parametrize(
    "typo", ["arn:aws:iam::1111:role/new", "new", "arn:aws:iam::111122223333:user/new"]
)
def test_a_bad_entry_does_not_bring_a_deleted_role_back(typo):
    before = parse(entry(arn="deleted") + REST, NOON)
    catalogue = parse(entry().replace(ARN.format("analyst"), typo) + REST, NOON, before)
    assert names(catalogue) == ["auditor", "operator"]
    assert catalogue.may_continue(identity(), RoleArn.parse(ARN.format("deleted")))
    assert [(bad.arn, bad.effect) for bad in catalogue.problems] == [(None, "left_out")]


def test_while_a_bad_entry_is_not_recognized_no_role_counts_as_deleted():
    analysts = 'allow = [{groups = ["analysts"]}]'
    before = parse(entry(allow=analysts) + entry(arn="deleted") + REST, NOON)
    unknown = "[[roles]]\narn = 7\n" + REST
    catalogue = parse(unknown, NOON, parse(unknown, NOON, before))
    analyst, deleted = (RoleArn.parse(ARN.format(name)) for name in ("analyst", "deleted"))
    assert names(catalogue) == ["auditor", "operator"]
    assert catalogue.may_continue(identity(), analyst)
    assert catalogue.may_continue(identity(), deleted)
    assert not catalogue.may_continue(identity(groups=[]), analyst)
    assert parse(unknown, NOON).may_continue(identity(), analyst)
    assert not parse(REST, NOON, catalogue).may_continue(identity(), analyst)


def test_many_broken_arns_are_recognized_without_comparing_all_pairs(monkeypatch):
    compared = []
    real = previous_entries.SequenceMatcher
    monkeypatch.setattr(
        previous_entries, "SequenceMatcher", lambda *args: compared.append(args) or real(*args)
    )
    good = "".join(entry(arn=f"role-{number}") for number in range(200))
    catalogue = parse(good.replace("111122223333", ""), NOON, parse(good, NOON))
    assert names(catalogue) == [f"role-{number}" for number in range(200)]
    assert len(compared) < previous_entries.MAX_COMPARED**2  # of 200 by 200


def test_a_second_entry_for_a_role_is_left_out_and_the_first_stays():
    catalogue = parse(entry('color = "teal"') + entry('color = "red"') + REST, NOON)
    assert names(catalogue) == ["analyst", "auditor", "operator"]
    assert catalogue.offered_to(identity())[0].color == "teal"
    assert shown(catalogue) == [("analyst", "left_out")]
    assert "listed twice" in catalogue.problems[0].reason


@pytest.mark.parametrize("partition", PARTITIONS)
def test_a_role_of_any_partition_that_botocore_knows_is_offered(partition):
    text = entry().replace("arn:aws:", f"arn:{partition}:")
    assert names(parse(text + REST, NOON)) == ["analyst", "auditor", "operator"]


def test_a_partition_that_nobody_knows_takes_no_other_role_away():
    catalogue = parse(entry().replace("arn:aws:", "arn:aws-mars:") + REST, NOON)
    assert names(catalogue) == ["auditor", "operator"]
    assert "partition is not one of aws, aws-cn" in catalogue.problems[0].reason


@pytest.mark.parametrize("item", ["7", '"x"', "[]", "true"])
def test_an_item_that_is_not_a_table_takes_no_other_role_away(item):
    catalogue = parse(f"roles = [{GOOD_ITEM}, {item}]", NOON)
    assert names(catalogue) == ["x"]
    assert "[[roles]] tables" in catalogue.problems[0].reason


@pytest.mark.parametrize("wrong", ["request_url = 7\n", 'rolls = ["x"]\n', "x = 7\n"])
def test_a_bad_setting_of_the_file_takes_no_role_away(wrong):
    catalogue = parse(wrong + REST, NOON)
    assert names(catalogue) == ["auditor", "operator"]
    assert [(bad.line, bad.effect) for bad in catalogue.problems] == [(1, "left_out")]
    before = parse('request_url = "https://ask.example.com"\n' + REST, NOON)
    kept = parse("request_url = 7\n" + REST, NOON, before)
    assert kept.request_url == "https://ask.example.com"


@pytest.mark.parametrize(
    "typo", [("accounts", "acounts"), ("[roles_", "[role_"), ("[roles_from", "[from")]
)
def test_a_bad_roles_from_claim_keeps_its_last_good_version_and_takes_no_entry_away(typo):
    good = '[roles_from_claim]\nclaim = "aws"\naccounts = ["111122223333"]\n'
    without_allow = entry(arn="reader", allow="")
    wanted = RoleArn.parse(ARN.format("claimed"))
    claims = {"aws": [ARN.format("claimed"), ARN.format("reader")]}

    before = parse(good + without_allow + REST, NOON)
    running = parse(good.replace(*typo) + without_allow + REST, NOON, before)
    fresh = parse(good.replace(*typo) + without_allow + REST, NOON)
    deleted = parse("[other]\nx = 1\n" + REST, NOON, before)

    assert names(running, **claims) == ["reader", "auditor", "operator", "claimed"]
    assert not running.may_continue(identity(), wanted)
    assert names(fresh, **claims) == ["auditor", "operator"]
    assert fresh.may_continue(identity(), wanted)
    assert fresh.may_continue(identity(), RoleArn.parse(ARN.format("reader")))
    assert [(bad.line, bad.effect) for bad in fresh.problems] == [(1, "left_out")]
    assert [(bad.line, bad.effect) for bad in running.problems] == [(1, "kept")]
    assert not deleted.may_continue(identity(), wanted)


async def test_a_bad_entry_is_logged_once_with_its_line_until_the_file_changes(file, caplog):
    replace_with(file, entry() + REST)
    await file.current()
    replace_with(file, entry("lable = 7") + REST)
    for _ in range(3):
        assert names(await file.current()) == ["analyst", "auditor", "operator"]
    assert file.problem is None
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert f"{file.path}, line 1: the role analyst has the unknown key `lable`" in errors[0]
    assert "its last good version stays in force" in errors[0]


# --- Who can change the file -----------------------------------------------------------------


@pytest.fixture
def private(tmp_path):
    """A folder that nobody else can write to, nor to any folder above it, if the machine allows."""
    tmp_path.chmod(0o755)
    path = tmp_path / "roles.toml"
    path.write_text(entry())
    path.chmod(0o644)
    return path


def test_a_file_of_the_servers_user_in_folders_of_that_user_is_safe(private):
    assert explain_unsafe_permissions(private) is None


def test_a_file_or_folder_that_others_can_write_is_reported(private):
    private.chmod(0o666)
    assert (
        explain_unsafe_permissions(private)
        == f"{private} can be written by every user of this machine"
    )
    private.chmod(0o644)
    private.parent.chmod(0o777)
    assert str(private.parent) in explain_unsafe_permissions(private)
    private.parent.chmod(0o1777)
    assert explain_unsafe_permissions(private) is None


def test_a_link_is_followed_and_its_own_folder_counts_too(private, tmp_path):
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / "link").symlink_to(private)
    folder.chmod(0o777)
    assert str(folder) in explain_unsafe_permissions(folder / "link")
    folder.chmod(0o755)
    private.chmod(0o602)
    assert str(private) in explain_unsafe_permissions(folder / "link")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_or_group_is_reported(private):
    os.chown(private, 1, -1)
    assert "belongs to another user" in explain_unsafe_permissions(private)
    os.chown(private, 0, 1)
    private.chmod(0o664)
    assert "can be written by the group" in explain_unsafe_permissions(private)
    os.chown(private, 0, 0)
    assert explain_unsafe_permissions(private) is None


def test_a_file_on_a_read_only_mount_is_safe(private, monkeypatch):
    class ReadOnly:
        f_flag = os.ST_RDONLY

    private.chmod(0o666)
    monkeypatch.setattr("os.statvfs", lambda _: ReadOnly)
    assert explain_unsafe_permissions(private) is None


async def test_a_file_that_others_can_write_is_logged_and_reported(file, caplog):
    file.path.parent.chmod(0o755)
    file.path.write_text(entry())
    file.path.chmod(0o666)
    await file.current()
    assert "can be written by every user" in file.unsafe_permissions
    assert "can be written by every user" in caplog.text


# --- A disk that does not answer ---------------------------------------------------------------


async def test_a_file_whose_disk_hangs_times_out_and_recovers(file, clock, monkeypatch):
    file.path.write_text(entry())
    good, gate = await file.current(), threading.Event()
    monkeypatch.setattr(catalogue_file, "READ_TIMEOUT", 0.01)
    real = type(file.path).stat

    def hang(path, **kwargs):
        if path == file.path:
            gate.wait(60)
        return real(path, **kwargs)

    with monkeypatch.context() as disk:
        disk.setattr(type(file.path), "stat", hang)
        assert await file.current() is good
        fresh = CatalogueFile(file.path, clock)
        with pytest.raises(CatalogueUnavailable) as refused:
            await fresh.current()
    assert "does not answer" in str(file.problem)
    assert "does not answer" in refused.value.admin_hint
    gate.set()
    monkeypatch.setattr(catalogue_file, "READ_TIMEOUT", 20)
    await file.current()
    await fresh.current()
    assert (file.problem, fresh.problem) == (None, None)


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
    ("text", "reason"),
    [
        ("x = [", "line 1: "),
        (b"# one\n# \xff\n", "line 2: the file is not UTF-8"),
        ("a = " + "9" * 5000, "4300 digits"),
    ],
)
async def test_a_broken_file_keeps_the_last_good_catalogue_and_is_logged_once(
    file, caplog, text, reason
):
    file.path.write_text(GOOD)
    good = await file.current()
    replace_with(file, text)
    for _ in range(3):
        assert await file.current() is good
    assert reason in describe(file.problem)
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert reason in errors[0]
    assert "the last good version stays in force" in errors[0]


async def test_a_corrected_file_is_used_again(file):
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
    assert describe(file.problem) == "it does not exist"
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


async def test_a_fifo_or_folder_in_the_files_place_blocks_nobody(tmp_path, clock):
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


async def test_a_file_that_may_not_be_read_is_reported(file, monkeypatch):
    file.path.write_text(GOOD)
    await file.current()
    replace_with(file, entry(arn="new"))

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(file.path), "read_bytes", refuse)  # root may read everything
    await file.current()
    assert describe(file.problem) == "the file can't be read: Permission denied"
    monkeypatch.undo()
    assert names(await file.current()) == ["new"]


async def test_a_byte_order_mark_does_not_count(file):
    replace_with(file, b"\xef\xbb\xbf" + entry().encode())
    assert names(await file.current()) == ["analyst"]


def test_a_bad_arn_is_reported_in_one_sentence():
    text = '[[roles]]\narn = "arn:aw:iam::111122223333:role/analyst"\nallow = "everyone"\n'
    (problem,) = parse(text, NOON).problems
    assert ").;" not in describe_bad_entry(problem)
    assert describe_bad_entry(problem).startswith("line 1: The ARN's partition is not one of ")
    assert describe_bad_entry(problem).endswith("; it is left out")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[roles]]\narn = "arn:aws:iam::123:role/b"\nallow = "everyone"\n', "'arn:aws:iam::123:role/b'"),
        (entry('region = "us east"'), "'us east'"),
        (entry('colour = "red"'), "the nearest is `color`"),
        (entry(allow='alow = "everyone"'), "the nearest is `allow`"),
        (entry(allow='allow = [{group = ["x"]}]'), "the nearest is `groups`"),
        (entry() + 'reqest_url = "https://x"\n', "the nearest is `request_url`"),
    ],
)  # fmt: skip
def test_a_bad_entry_is_quoted_with_the_nearest_valid_value(text, said):
    (bad,) = parse(text, NOON).problems
    assert said in describe_bad_entry(bad)
    assert ".;" not in describe_bad_entry(bad)


def test_an_unchanged_entry_of_a_changed_file_stays_the_same_object():
    before = parse(GOOD, NOON)

    after = parse(GOOD.replace('"everyone"', '[{ users = ["alice"] }]'), NOON, before)

    same = [after.entries[arn] is entry for arn, entry in before.entries.items()]
    assert same == [True, False, True]
