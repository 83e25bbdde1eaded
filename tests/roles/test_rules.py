"""Which rules match which user."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.roles.rules import Rule


def who(subject="0042", name="alice", groups=("analysts",), **claims):
    return Identity("https://idp.example.com", subject, name, tuple(groups), claims)


def rule(users=(), groups=(), **claims):
    return Rule(frozenset(users), frozenset(groups), {k: frozenset(v) for k, v in claims.items()})


@pytest.mark.parametrize(
    "allow",
    [
        Rule(everyone=True),
        rule(users=["alice"]),
        rule(users=["0042"]),
        rule(groups=["admins", "analysts"]),
        rule(users=["alice"], groups=["analysts"]),
        rule(department=["research"]),
        rule(groups=["analysts"], department=["research"], level=["3"]),
        rule(teams=["blue"]),
        rule(staff=["true"]),
        rule(ratio=["0.5"]),
    ],
)
def test_a_rule_lets_in_whom_it_names(allow):
    claims = {"department": "research", "level": 3, "teams": ["red", "blue"], "staff": True}
    assert allow.matches(who(**claims, ratio=0.5))


@pytest.mark.parametrize(
    "allow",
    [
        Rule(),
        rule(users=["bob"]),
        rule(users=["Alice"]),
        rule(users=["alic"]),
        rule(users=["analysts"]),
        rule(groups=["alice"]),
        rule(groups=["analyst"]),
        rule(users=["alice"], groups=["admins"]),
        rule(users=["bob"], groups=["analysts"]),
        rule(department=["sales"]),
        rule(department=[]),
        rule(missing=["x"]),
        rule(missing=["None", "null", ""]),
        rule(nothing=["None", "null", ""]),
        rule(nested=["x"]),
        rule(staff=["True", "1"]),
        rule(level=["3.0"]),
        rule(teams=["['red', 'blue']", "red,blue"]),
        rule(groups=["analysts"], department=["sales"]),
    ],
)
def test_a_rule_lets_nobody_else_in(allow):
    claims = {"department": "research", "level": 3, "teams": ["red", "blue"], "staff": True}
    assert not allow.matches(who(**claims, nothing=None, nested={"x": "x"}))


texts = st.sampled_from(["a", "b", "c", "true", "1", ""])
values = texts | st.booleans() | st.integers(0, 2) | st.none() | st.lists(texts, max_size=3)
identities = st.builds(
    lambda subject, name, groups, claims: Identity("i", subject, name, tuple(groups), claims),
    texts, texts, st.lists(texts, max_size=3), st.dictionaries(st.sampled_from("xyz"), values),
)  # fmt: skip
rules = st.builds(
    Rule,
    st.frozensets(texts, max_size=2),
    st.frozensets(texts, max_size=2),
    st.dictionaries(st.sampled_from("xyz"), st.frozensets(texts, max_size=2), max_size=2),
)


@given(rules, identities)
def test_another_condition_never_lets_more_people_in(allow, identity):
    stricter = Rule(allow.users, allow.groups, {**allow.claims, "w": frozenset({"a"})})
    assert not stricter.matches(identity)
    if allow.matches(identity) and allow.users:
        assert Rule(users=allow.users).matches(identity)
    if allow.matches(identity) and allow.groups:
        assert Rule(groups=allow.groups).matches(identity)


@given(rules, identities)
def test_a_further_value_never_shuts_anyone_out(allow, identity):
    if allow.matches(identity):
        wider = Rule(
            allow.users | {"zz"} if allow.users else allow.users,
            allow.groups | {"zz"} if allow.groups else allow.groups,
            {claim: wanted | {"zz"} for claim, wanted in allow.claims.items()},
        )
        assert wider.matches(identity)


@given(identities)
def test_a_rule_that_names_nothing_matches_nobody(identity):
    assert not Rule().matches(identity)
