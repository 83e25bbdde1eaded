"""Which rules match which user."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.roles.rules import Rule


def who(subject="0042", name="alice", groups=("analysts",), **claims):
    return Identity("https://idp.example.com", subject, name, tuple(groups), claims)


def rule(users=(), names=(), groups=(), **claims):
    return Rule(
        frozenset(users),
        frozenset(names),
        frozenset(groups),
        {k: frozenset(v) for k, v in claims.items()},
    )


@pytest.mark.parametrize(
    "allow",
    [
        Rule(everyone=True),
        rule(users=["0042"]),
        rule(names=["alice"]),
        rule(groups=["admins", "analysts"]),
        rule(users=["0042"], groups=["analysts"]),
        Rule(claims={"realm_access.roles": frozenset(["analyst"])}),
        rule(users=["0042"], names=["alice"]),
        rule(department=["research"]),
        rule(groups=["analysts"], department=["research"], level=["3"]),
        rule(teams=["blue"]),
        rule(staff=["true"]),
        rule(ratio=["0.5"]),
    ],
)
def test_a_rule_allows_the_users_it_names(allow):
    claims = {"department": "research", "level": 3, "teams": ["red", "blue"], "staff": True}
    nested = {"realm_access": {"roles": ["analyst"]}}
    assert allow.matches(who(**claims, **nested, ratio=0.5))


@pytest.mark.parametrize(
    "allow",
    [
        Rule(),
        rule(users=["0043"]),
        rule(users=["alice"]),
        rule(users=["analysts"]),
        rule(names=["bob"]),
        rule(names=["Alice"]),
        rule(names=["alic"]),
        rule(names=["0042"]),
        rule(names=["analysts"]),
        rule(groups=["alice"]),
        rule(groups=["analyst"]),
        rule(users=["0042"], groups=["admins"]),
        rule(users=["0043"], groups=["analysts"]),
        rule(users=["0043"], names=["alice"]),
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
def test_a_rule_allows_nobody_else(allow):
    claims = {"department": "research", "level": 3, "teams": ["red", "blue"], "staff": True}
    assert not allow.matches(who(**claims, nothing=None, nested={"x": "x"}))


def test_a_name_that_is_anothers_subject_gives_nothing_of_theirs():
    # OIDC Core 5.7: a user may be free to choose `preferred_username`.
    assert not rule(users=["alice"]).matches(who(subject="0666", name="alice"))


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
    st.frozensets(texts, max_size=2),
    st.dictionaries(st.sampled_from("xyz"), st.frozensets(texts, max_size=2), max_size=2),
)


@given(rules, identities)
def test_another_condition_never_allows_more_users(allow, identity):
    stricter = Rule(allow.users, allow.names, allow.groups, {**allow.claims, "w": frozenset({"a"})})
    assert not stricter.matches(identity)
    if allow.matches(identity) and allow.users:
        assert Rule(users=allow.users).matches(identity)
    if allow.matches(identity) and allow.names:
        assert Rule(names=allow.names).matches(identity)
    if allow.matches(identity) and allow.groups:
        assert Rule(groups=allow.groups).matches(identity)


@given(rules, identities)
def test_another_value_never_excludes_anyone(allow, identity):
    if allow.matches(identity):
        wider = Rule(
            allow.users | {"zz"} if allow.users else allow.users,
            allow.names | {"zz"} if allow.names else allow.names,
            allow.groups | {"zz"} if allow.groups else allow.groups,
            {claim: wanted | {"zz"} for claim, wanted in allow.claims.items()},
        )
        assert wider.matches(identity)


@given(identities)
def test_a_rule_without_conditions_matches_nobody(identity):
    assert not Rule().matches(identity)
