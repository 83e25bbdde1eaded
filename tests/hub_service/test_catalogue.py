"""The hub service's roles file: what it puts into tokens, checked at reading with the longest names."""

import asyncio
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.errors import CatalogueUnavailable, RoleNotAllowed
from jupyter_wb_aws.hub.catalogue import (
    check_tokens,
    hub_identity,
    offered_role,
    open_catalogue,
)
from jupyter_wb_aws.hub.claims import ClaimSettings, make_claims
from jupyter_wb_aws.hub.errors import RolesUnavailable
from jupyter_wb_aws.roles.catalogue_parser import InvalidCatalogue, parse
from jupyter_wb_aws.roles.role import RoleArn
from tests.conftest import NOON, FakeClock

ISSUER = "https://hub.example.com/services/aws"
SETTINGS = ClaimSettings(ISSUER)
ARN = "arn:aws:iam::111122223333:role/{}"
TAGS, SOURCE_IDENTITY = "https://aws.amazon.com/tags", "https://aws.amazon.com/source_identity"
FILE = f"""
source_identity = "{{user}}"
transitive_tags = ["Team"]

[[roles]]
arn = "{ARN.format("analyst")}"
audience = "analysts"
tags = {{ Project = "colorado", Owner = "{{user}}" }}
allow = [{{ groups = ["analysts"] }}, {{ users = ["bob"] }}]

[[roles]]
arn = "{ARN.format("auditor")}"
source_identity = "hub-{{user}}"
allow = "everyone"

[[tags]]
groups = ["finance"]
tags = {{ Team = "finance" }}

[[tags]]
groups = ["analysts", "interns"]
tags = {{ Team = "analytics", Project = "other" }}

[[tags]]
users = ["carol"]
tags = {{ Team = "audit" }}
"""


def read(text, previous=None, settings=SETTINGS):
    return parse(text, NOON, previous, lambda role: check_tokens(settings, role))


def entry(text="", name="analyst", allow='allow = "everyone"'):
    return f'[[roles]]\narn = "{ARN.format(name)}"\n{allow}\n{text}\n'


def claims(catalogue, name, user, *groups):
    role = catalogue.get_offered(
        hub_identity(ISSUER, user, groups), RoleArn.parse(ARN.format(name))
    )
    return make_claims(SETTINGS, user, groups, role, NOON)


def tags(made):
    nested = made.get(TAGS, {"principal_tags": {}})
    return {key: value for key, (value,) in nested["principal_tags"].items()}


def names(catalogue, user="alice", *groups):
    return [role.arn.name for role in catalogue.offered_to(hub_identity(ISSUER, user, groups))]


# --- What the file puts into a token ---------------------------------------------------------


def test_an_entry_says_audience_tags_and_source_identity_of_its_tokens():
    made = claims(read(FILE), "analyst", "alice", "analysts")

    assert made["aud"] == "analysts"
    assert tags(made) == {"Project": "colorado", "Owner": "alice", "Team": "analytics"}
    assert made[TAGS]["transitive_tag_keys"] == ["Team"]
    assert made[SOURCE_IDENTITY] == "alice"


@pytest.mark.parametrize(
    ("user", "groups", "wanted"),
    [
        ("alice", [], {}),
        ("alice", ["interns"], {"Team": "analytics", "Project": "other"}),
        ("alice", ["interns", "finance"], {"Team": "finance", "Project": "other"}),
        ("carol", ["interns"], {"Team": "analytics", "Project": "other"}),
        ("carol", [], {"Team": "audit"}),
    ],
)
def test_groups_and_users_bring_tags_and_of_two_values_the_files_first_counts(user, groups, wanted):
    made = claims(read(FILE), "auditor", user, *groups)

    assert tags(made) == wanted
    assert made["aud"] == "sts.amazonaws.com"
    assert made[SOURCE_IDENTITY] == f"hub-{user}"


def test_rules_match_the_hubs_names_and_groups():
    catalogue = read(FILE)
    assert names(catalogue, "alice", "analysts") == ["analyst", "auditor"]
    assert names(catalogue, "bob") == ["analyst", "auditor"]
    assert names(catalogue, "bob:x", "Analysts") == ["auditor"]
    with pytest.raises(RoleNotAllowed):
        claims(catalogue, "analyst", "alice")


def test_a_file_without_any_of_it_is_a_servers_roles_file():
    made = claims(read(entry()), "analyst", "alice")
    assert not {TAGS, SOURCE_IDENTITY} & made.keys()


def test_groups_may_name_the_roles():
    text = f'[roles_from_claim]\nclaim = "groups"\nprefix = "aws-"\naccounts = ["111122223333"]\narn = "{ARN.format("{name}")}"\n'
    catalogue = read(text + '[[tags]]\ntags = { Source = "hub" }\n')
    assert names(catalogue, "alice", "aws-analyst", "x") == ["analyst"]
    assert tags(claims(catalogue, "analyst", "alice", "aws-analyst")) == {"Source": "hub"}


# --- What is refused at reading --------------------------------------------------------------

LONG = "x" * 256
BAD_ENTRIES = [
    ("audience = 7", "`audience` must be a text"),
    (f'audience = "{LONG}"', "more than the 255 characters"),
    ('tags = "x"', "needs `tags` such as"),
    ("tags = {}", "needs `tags` such as"),
    ("tags = { Team = 7 }", "must have a text as its value"),
    ('tags = { Team = ["a"] }', "must have a text as its value"),
    ('tags = { Team = "a*" }', "a tag's value has up to 256"),
    ('tags = { Team = "{group}" }', "unknown field {group} (known: {user})"),
    (f'tags = {{ Team = "{LONG}x" }}', "a tag's value has up to 256"),
    (f'tags = {{ {LONG[:129]} = "a" }}', "a tag's name has 1 to 128"),
    ('tags = { "Team*" = "a" }', "a tag's name has 1 to 128"),
    ('tags = { "" = "a" }', "a tag's name has 1 to 128"),
    ('tags = { "AWS:x" = "a" }', "belong to AWS"),
    ('tags = { Team = "a", team = "b" }', "has a tag twice"),
    (f'tags = {{ Team = "{LONG[:200]}{{user}}" }}', "has no room for user names of 64 characters"),
    ("tags = {" + ", ".join(f'T{n} = "a"' for n in range(51)) + "}", "51 session tags; AWS allows 50"),
    ("tags = {" + ", ".join(f'T{n} = "{LONG}"' for n in range(4)) + "}", "session tags of 1032 bytes"),
    ("tags = {" + ", ".join(f'Owner{n} = "{{user}}"' for n in range(15)) + "}", "with a user name of 64 characters"),
    ('source_identity = "hub"', "must have {user} once"),
    ('source_identity = "{user}{user}"', "must have {user} once"),
    ('source_identity = "{user}:hub"', "AWS does not accept `source_identity`"),
    (f'source_identity = "{LONG[:200]}{{user}}"', "has no room for user names of 64 characters"),
    ('tag = { Team = "a" }', "the nearest is `tags`"),
    ('audiance = "x"', "the nearest is `audience`"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "reason"), BAD_ENTRIES)
def test_a_bad_entry_is_named_with_its_line_and_keeps_its_last_good_version(wrong, reason):
    before = read(entry(name="auditor") + entry('tags = { Team = "good" }'))
    fresh, running = (read(entry(name="auditor") + entry(wrong), was) for was in (None, before))

    for catalogue in (fresh, running):
        (problem,) = catalogue.problems
        assert reason in problem.reason
        assert (problem.line, problem.arn.name) == (5, "analyst")
    assert names(fresh) == ["auditor"]
    assert names(running) == ["auditor", "analyst"]
    assert tags(claims(running, "analyst", "alice")) == {"Team": "good"}


BAD_FILES = [
    ("[[tags]]\ngroups = ['x']", 1, "needs `tags` such as"),
    ("# 1\n[[tags]]\ntags = { A = 'b' }\n[[tags]]\ntags = { A = 'b*' }", 4, "AWS does not accept the tag 'A'"),
    ("[[tags]]\ntags = { A = 'b' }\ngroup = ['x']", 1, "the nearest is `groups`"),
    ("[[tags]]\ntags = { A = 'b' }\ngroups = []", 1, "must be a list of one or more"),
    ("[[tags]]\ntags = { A = 'b' }\nusers = 'alice'", 1, "must be a list of one or more"),
    ("[tags]\nTeam = 'x'", 1, "must be written as [[tags]] tables"),
    ("[[tag]]\ngroups = ['x']\ntags = { A = 'b' }", 1, "unknown key `tag`"),
    ("[[by_group]]\ngroups = ['x']\ntags = { A = 'b' }", 1, "unknown key `by_group`"),
    ("source_identity = 'me'", 1, "must have {user} once"),
    ("\nsource_identities = '{user}'", 2, "unknown key `source_identities`"),
    ("transitive_tags = 'Team'", 1, "`transitive_tags` must be a list"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "line", "reason"), BAD_FILES)
def test_no_token_lacks_tags_because_the_file_is_wrong(wrong, line, reason):
    """Policies may deny by a tag: without a last good version, nothing is signed."""
    with pytest.raises(InvalidCatalogue, match="") as broken:
        read(f"{wrong}\n{entry()}")
    assert reason in broken.value.reason
    assert broken.value.line == line

    before = read(f"[[tags]]\ntags = {{ Team = 'good' }}\n{entry()}")
    running = read(f"{wrong}\n{entry()}", before)
    assert [(bad.line, bad.arn, bad.effect) for bad in running.problems] == [(line, None, "kept")]
    assert tags(claims(running, "analyst", "alice")) == {"Team": "good"}
    assert read(f"{wrong}\n{entry()}", running).token_content == before.token_content


def test_rules_of_the_file_are_checked_together_with_each_entry():
    rules = "".join(f'[[tags]]\ngroups = ["g{n}"]\ntags = {{ T{n} = "a" }}\n' for n in range(50))
    assert read(rules + entry()).problems == ()
    (problem,) = read(rules + entry('tags = { Team = "a" }') + entry(name="auditor")).problems
    assert (problem.arn.name, "51 session tags" in problem.reason) == ("analyst", True)


def test_a_value_that_never_counts_takes_no_room():
    rules = "".join(
        f'[[tags]]\ngroups = ["g{n}"]\ntags = {{ Team = "{LONG}" }}\n' for n in range(9)
    )
    assert read(rules + entry()).problems == ()
    big = "".join(f'T{n} = "{LONG}", ' for n in range(3)) + 'team = "a"'
    assert read(rules + entry(f"tags = {{ {big} }}")).problems == ()


def test_a_transitive_tag_that_no_token_has_is_named():
    text = 'transitive_tags = ["team", "cost"]\n' + entry('tags = { Team = "a" }')
    (problem,) = read(text).problems
    assert (problem.line, problem.effect) == (1, "left_out")
    assert "the tag 'cost', which no token has" in problem.reason
    assert claims(read(text), "analyst", "a")[TAGS]["transitive_tag_keys"] == ["Team"]


def test_the_subject_must_have_room_for_long_names():
    template = f"{'x' * 120}:{{user}}:role:{{account}}/{{role}}"
    settings = ClaimSettings(ISSUER, subject_template=template)
    (problem,) = read(entry() + entry(name="r" * 64), settings=settings).problems
    assert problem.arn.name == "r" * 64
    assert "the subject (`sub`) of the token has 268 characters" in problem.reason


def test_roles_of_a_claim_are_checked_with_the_longest_name_of_a_role():
    settings = ClaimSettings(ISSUER, subject_template="x" * 120 + ":{user}:{account}/{role}")
    text = '[roles_from_claim]\nclaim = "groups"\naccounts = ["111122223333"]\n'
    (problem,) = read(text, settings=settings).problems
    assert "has no room for user names of 64 characters" in problem.reason


VALUES = st.sampled_from(
    ["7", '""', '"x"', "[]", '["a"]', "{}", '{a = "b"}', '{a = "{user}"}', '"{user}"', "nan"]
)
LINES = st.builds(
    "{} = {}".format,
    st.sampled_from(["tags", "users", "groups", "source_identity", "transitive_tags", "audience"]),
    VALUES,
) | st.sampled_from(["[[roles]]", entry(), "[[tags]]", "[tags]", "[[tag]]"])


@given(st.lists(LINES, max_size=8))
def test_random_settings_are_a_catalogue_whose_tokens_can_be_signed_or_broken(lines):
    try:
        catalogue = read("\n".join(lines))
    except InvalidCatalogue as broken:
        assert broken.reason  # noqa: PT017
        return
    for role in catalogue.offered_to(hub_identity(ISSUER, "alice", ["a"])):
        assert make_claims(SETTINGS, "alice", ["a"], role, NOON)["aud"]


# --- A server's own roles file ---------------------------------------------------------------


@pytest.mark.parametrize(
    "line", ['tags = { Team = "a" }', 'audience = "x"', 'source_identity = "{user}"']
)
def test_a_server_refuses_these_keys_with_what_they_need(line):
    catalogue = parse(entry(line) + entry(name="auditor"), NOON)
    (problem,) = catalogue.problems
    key = line.partition(" ")[0]
    assert (
        f"`{key}` of the role analyst needs the hub service (`jupyter-wb-aws-hub`)"
        in problem.reason
    )
    assert names(catalogue) == ["auditor"]


@pytest.mark.parametrize(
    "text",
    ["[[tags]]\ntags = { Team = 'a' }", "source_identity = '{user}'", "transitive_tags = ['Team']"],
)
def test_a_server_refuses_these_keys_of_the_file_and_offers_its_roles(text):
    catalogue = parse(f"# 1\n{text}\n{entry()}", NOON)
    (problem,) = catalogue.problems
    assert (problem.line, problem.arn, problem.effect) == (2, None, "left_out")
    assert "needs the hub service (`jupyter-wb-aws-hub`)" in problem.reason
    assert names(catalogue) == ["analyst"]
    assert not catalogue.has_unidentified


# --- The file --------------------------------------------------------------------------------


def test_the_file_is_read_again_and_its_last_good_version_stays(tmp_path):
    path = tmp_path / "roles.toml"
    file = open_catalogue(path, FakeClock(), SETTINGS)
    path.write_text(f"[[tags]]\n{entry()}")
    with pytest.raises(CatalogueUnavailable) as refused:
        asyncio.run(file.current())
    assert "line 1: a [[tags]] table needs `tags`" in refused.value.admin_hint

    path.write_text(FILE)
    assert names(asyncio.run(file.current())) == ["auditor"]
    path.write_text(f"{FILE}[[tags]]\ntags = 7\n")
    catalogue = asyncio.run(file.current())
    assert tags(claims(catalogue, "auditor", "carol")) == {"Team": "audit"}
    assert [bad.effect for bad in catalogue.problems] == ["kept"]


# --- A refusal, which ends role sessions --------------------------------------------------------


class Meanwhile(FakeClock):
    """A clock for which sleeping takes no time: what happens meanwhile, happens at once."""

    def __init__(self):
        super().__init__()
        self.slept, self.meanwhile = 0.0, lambda: None

    async def sleep(self, seconds):
        self.slept += seconds
        self.advance(seconds)
        self.meanwhile()


@pytest.fixture
def ask(tmp_path):
    """Ask for alice's role, with a roles file that has just been written, and what happens in the second after it."""

    async def ask(text, meanwhile=None):
        clock, path = Meanwhile(), tmp_path / "roles.toml"

        def write(text):
            path.write_text(text)
            os.utime(path, (clock.now().timestamp(),) * 2)

        if meanwhile is not None:
            clock.meanwhile = lambda: write(meanwhile)
        write(text)
        file = open_catalogue(path, clock, SETTINGS)
        alice = hub_identity(ISSUER, "alice", ["analysts"])
        try:
            return await offered_role(file, clock, alice, RoleArn.parse(ARN.format("analyst")))
        finally:
            assert clock.slept <= 1.0

    return ask


OTHERS = entry(name="auditor")


async def test_half_a_roles_file_refuses_nobody(ask):
    role = await ask(OTHERS, meanwhile=OTHERS + entry())
    assert role.arn.name == "analyst"


async def test_a_role_that_is_gone_is_refused_once_the_file_is_a_second_old(ask):
    with pytest.raises(RoleNotAllowed, match="not in your list"):
        await ask(OTHERS)


async def test_while_the_roles_file_keeps_changing_no_refusal_is_definite(ask):
    with pytest.raises(RolesUnavailable, match="may not be complete"):
        await ask(OTHERS, meanwhile=OTHERS + entry(name="another"))


async def test_a_role_that_is_offered_waits_for_nothing(ask):
    role = await ask(entry(), meanwhile=OTHERS)
    assert role.arn.name == "analyst"
