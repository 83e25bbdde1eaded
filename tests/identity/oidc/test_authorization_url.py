"""The URL that begins a sign-in in the browser (RFC 6749, 3.1 and 4.1.1; RFC 7636)."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_wb_aws.identity.oidc.authorization_url import s256_challenge, with_parameters
from tests.identity.signing_in import sign_in


def test_the_challenge_is_that_of_the_rfcs_example():
    # RFC 7636, appendix B.
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert s256_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("https://idp/a", "https://idp/a?scope=a+b&state=%2B"),
        ("https://idp/a?", "https://idp/a?scope=a+b&state=%2B"),
        ("https://idp/a?p=B2C_1_in", "https://idp/a?p=B2C_1_in&scope=a+b&state=%2B"),
        ("https://idp/a?p=%7Ex&q", "https://idp/a?p=%7Ex&q&scope=a+b&state=%2B"),
        ("https://idp/a?scope=old&p=1", "https://idp/a?p=1&scope=a+b&state=%2B"),
        ("https://idp/a?sc%6Fpe=old", "https://idp/a?scope=a+b&state=%2B"),
        ("https://idp/a#there", "https://idp/a?scope=a+b&state=%2B"),
    ],
)
def test_the_endpoints_own_query_stays_and_no_parameter_occurs_twice(endpoint, url):
    assert with_parameters(endpoint, {"scope": "a b", "state": "+"}) == url


NAMES = st.sampled_from(["a", "b", "c d", "é", "e&f"])


@given(st.dictionaries(NAMES, st.text()), st.dictionaries(NAMES, st.text()))
def test_parameters_are_read_as_they_were_set(own, ours):
    endpoint = with_parameters("https://idp/a", own)
    found = parse_qsl(urlsplit(with_parameters(endpoint, ours)).query, keep_blank_values=True)
    assert dict(found) == {**own, **ours}
    assert len(found) == len({**own, **ours})


async def test_an_authorization_endpoint_with_a_query_works(make, provider):
    provider.metadata_changes = {
        "authorization_endpoint": f"{provider.issuer}/authorize?tenant=7&response_type=token"
    }
    source = make()
    begun = await source.sign_in.begin_code()
    query = parse_qsl(urlsplit(begun.authorization_url).query)
    assert ("tenant", "7") in query
    assert [value for name, value in query if name == "response_type"] == ["code"]
    await sign_in(source, provider)


async def test_parameters_of_the_site_may_have_any_name(make, provider):
    source = make(authorize_parameters={"name": "x", "uri": "y", "verifier": "z", "prompt": ""})
    url = (await source.sign_in.begin_code()).authorization_url
    query = dict(parse_qsl(urlsplit(url).query))
    assert (query["name"], query["uri"], query["verifier"]) == ("x", "y", "z")
    await source.sign_in.begin_device()
    (asked,) = provider.asked_for("/device")
    assert asked["name"] == "x"
    assert "prompt" not in asked
