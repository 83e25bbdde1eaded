"""User names in tokens: no two become one, and no name matches what was written for another."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.demo.local_aws.trust_policy import TrustRequest, allows
from jupyter_wb_aws.hub.names import (
    NameNotAllowed,
    binds_role,
    encoded,
    source_identity,
    subject,
    subject_pattern,
    subject_template_problem,
    tag_value,
)
from jupyter_wb_aws.roles.role import RoleArn

DEFAULT, STORE = "user:{user}", "user:{user}:role:{account}/{role}"
ANALYST = RoleArn.parse("arn:aws:iam::111122223333:role/team/analyst")
AUDITOR = RoleArn.parse("arn:aws:iam::111122223333:role/auditor")
TRICKS = [
    "alice:role:auditor", "a*b", "a?b", "al/ice", "alice:role:111122223333/auditor", "*", "${aws:username}", "%61lice",
    "alice%3Arole", "älice", "a\u0308lice", "アリス", "\U0001f600", "a b", "c\nd", "a\0b", "a~b", "..", "../x", "a\\b", '"', "a#b",
]  # fmt: skip
NAMES = st.text(min_size=1, max_size=12) | st.text("a:*?/%~ é", min_size=1, max_size=8)
ROLES = st.builds(
    RoleArn,
    st.just("aws"),
    st.sampled_from(["111122223333", "111122223334"]),
    st.sampled_from(["/", "/a/", "/a/b/", "/*/", "/:role:111122223333/", "/%2F/", "/{user}/"]),
    st.text("ab+=,.@_-", min_size=1, max_size=4),
)


def is_let_in(pattern, sub):
    policy = f"""{{"Statement": {{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {{"StringLike": {{"hub.example.com:sub": "{pattern}"}}}}}}}}"""
    request = TrustRequest("arn", {"hub.example.com:sub": (sub,)})
    return allows(policy, "sts:AssumeRoleWithWebIdentity", request)


# --- The subject -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "wanted"),
    [
        ("alice", "alice"),
        ("Alice.B_c-d@e+f=g,h", "Alice.B_c-d@e+f=g,h"),
        ("alice:role:auditor", "alice%3Arole%3Aauditor"),
        ("a*b?c", "a%2Ab%3Fc"),
        ("al/ice", "al%2Fice"),
        ("%2A", "%252A"),
        ("a~b", "a%7Eb"),
        ("ä", "%C3%A4"),
        ("a b\n", "a%20b%0A"),
    ],
)
def test_everything_but_plain_characters_is_percent_encoded(user, wanted):
    assert encoded(user) == wanted
    assert subject(STORE, user, ANALYST) == f"user:{wanted}:role:111122223333/team%2Fanalyst"


@given(NAMES, NAMES)
def test_two_names_never_become_one(one, other):
    try:
        both = encoded(one), encoded(other)
    except NameNotAllowed:
        return
    assert re.fullmatch(r"[A-Za-z0-9_.@+=,%-]+", both[0])
    assert unquote(both[0]) == one
    assert (both[0] == both[1]) == (one == other)


@given(
    NAMES,
    NAMES,
    ROLES,
    ROLES,
    st.sampled_from([DEFAULT, STORE, "{role}/{account}:{user}x", "hub:{user}"]),
)
def test_two_users_or_two_roles_never_have_the_same_subject(one, other, role, another, template):
    try:
        subjects = subject(template, one, role), subject(template, other, another)
    except NameNotAllowed:
        return
    same_role = role == another or not binds_role(template)
    assert (subjects[0] == subjects[1]) == (one == other and same_role)


@pytest.mark.parametrize("user", TRICKS)
def test_a_name_gains_nothing_in_a_pattern_written_for_another_role(user):
    sub = subject(STORE, user, ANALYST)

    assert is_let_in(subject_pattern(STORE, ANALYST), sub)
    assert not is_let_in(subject_pattern(STORE, AUDITOR), sub)
    assert not is_let_in("user:alice:role:*", sub)


@given(NAMES, ROLES, ROLES)
def test_the_pattern_of_a_role_matches_its_own_tokens_only(user, role, another):
    try:
        sub = subject(STORE, user, role)
    except NameNotAllowed:
        return
    assert is_let_in(subject_pattern(STORE, another), sub) == (role == another)


def test_a_subject_that_is_too_long_or_too_short_is_refused_with_a_sentence():
    assert len(subject(DEFAULT, "a" * 250, ANALYST)) == 255
    with pytest.raises(NameNotAllowed, match="has 256 characters; AWS accepts 6 to 255") as refused:
        subject(DEFAULT, "a" * 251, ANALYST)
    assert (refused.value.status, refused.value.code) == (403, "name_not_allowed")
    assert "subject_template" in refused.value.admin_hint
    with pytest.raises(NameNotAllowed, match="has 3 characters"):
        subject("{user}", "bob", ANALYST)
    with pytest.raises(NameNotAllowed, match="has 275 characters"):
        subject(DEFAULT, "ä" * 45, ANALYST)


@pytest.mark.parametrize("user", ["", "a\ud800"])
def test_a_name_that_is_not_text_is_refused(user):
    with pytest.raises(NameNotAllowed, match="is empty, or is not text"):
        encoded(user)


@pytest.mark.parametrize(
    "template", [DEFAULT, STORE, "{user}", "hub.example.com:{user}", "{account}/{role}/{user}"]
)
def test_a_usable_template_has_no_problem(template):
    assert subject_template_problem(template) is None


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("user", "must have {user} once"),
        ("", "must have {user} once"),
        ("{user}:{user}", "must have {user} once"),
        ("{user}:{role}/{role}", "no field twice"),
        ("{user}:{server}", "unknown field {server}"),
        ("{user}{role}", "a colon or a slash"),
        ("{user}-{role}", "a colon or a slash"),
        ("{user}:{account}{role}", "a colon or a slash"),
        ("*{user}", "letters, digits and the characters"),
        ("{user} x", "letters, digits and the characters"),
        ("a%{user}", "letters, digits and the characters"),
        ("{{user}}", "letters, digits and the characters"),
        ("ä{user}", "letters, digits and the characters"),
    ],
)
def test_a_template_that_could_make_two_users_one_is_refused(template, problem):
    assert problem in subject_template_problem(template)


# --- Tags and source identity ----------------------------------------------------------------


@pytest.mark.parametrize(
    "user", ["alice", "a.b@c", "älice", "アリス", "a b", "al/ice", "x:y", "a" * 256, "\U00020000"]
)
def test_a_name_that_aws_takes_is_the_value_of_a_tag(user):
    assert tag_value("{user}", user, "Owner") == user


@pytest.mark.parametrize(
    "user",
    ["a*b", "a?b", "a%b", "\U0001f600", "a\nb", "a" * 257, "\U00020000" * 129, "{user}", "a\u0308"],
)
def test_a_name_that_aws_does_not_take_as_a_tag_is_refused_and_never_left_out(user):
    with pytest.raises(
        NameNotAllowed, match="in the session tag `Owner`: a tag's value has up to 256"
    ) as refused:
        tag_value("{user}", user, "Owner")
    assert "roles file" in refused.value.admin_hint
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("user", ["al", "alice", "a.b@c+d=e,f-g_h", "a" * 256])
def test_a_name_that_aws_takes_is_the_source_identity(user):
    assert source_identity("{user}", user) == user


@pytest.mark.parametrize(
    "user", [*(user for user in TRICKS if user != ".."), "a", "a" * 257, "alice\n"]
)
def test_a_name_that_aws_does_not_take_as_source_identity_is_refused(user):
    with pytest.raises(NameNotAllowed, match="as a source identity, which has 2 to 256") as refused:
        source_identity("{user}", user)
    assert str(refused.value).isprintable()


def test_text_around_the_name_stays():
    assert source_identity("hub-{user}", "a") == "hub-a"
    assert tag_value("{user}@example.com", "alice", "Owner") == "alice@example.com"
