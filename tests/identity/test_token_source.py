"""The class that every token source extends, including a third party's."""

import pytest
from traitlets import TraitError, Unicode
from traitlets.config import Config

from jupyter_wb_aws.errors import TokenInvalid
from jupyter_wb_aws.identity.source import TokenRequest, TokenSource
from jupyter_wb_aws.identity.token import WebIdentityToken
from tests.conftest import make_jwt


class VaultTokenSource(TokenSource):
    """A source that a third party might write in its own package."""

    secret_path = Unicode("", config=True)

    def missing_setting(self):
        return None if self.secret_path else "VaultTokenSource.secret_path"

    async def fetch(self, request):
        return WebIdentityToken.parse(make_jwt(aud=request.audience), self.clock.now())


async def test_a_third_partys_source_needs_two_methods_and_has_the_settings_of_all(clock):
    source = VaultTokenSource(config=Config({"VaultTokenSource": {"groups_claim": "roles"}}))
    source.clock = clock
    token = await source.fetch(TokenRequest(audience="wb"))
    assert token.claims["aud"] == "wb"
    assert source.groups_claim == "roles"
    assert source.missing_setting() == "VaultTokenSource.secret_path"
    assert not source.binds_role


async def test_a_source_that_does_not_fetch_is_unfinished():
    assert TokenSource().missing_setting() is None
    with pytest.raises(NotImplementedError):
        await TokenSource().fetch(TokenRequest())


async def test_a_third_partys_source_that_reads_rubbish_says_so(clock):
    with pytest.raises(TokenInvalid):
        WebIdentityToken.parse("rubbish", clock.now())


@pytest.mark.parametrize(
    "issuer",
    ["idp.example.com", "ftp://idp.example.com", "https:/idp.example.com", "https://", "https:///x",
     " https://idp.example.com", "https://idp.example.com\n", "HTTPS://idp.example.com", "file:///etc",
     "https://idp.example.com?x=y"],
)  # fmt: skip
def test_an_issuer_that_is_not_a_url_is_refused_by_the_settings_name(issuer):
    with pytest.raises(TraitError, match=r"'issuer'.*VaultTokenSource.*https://") as refused:
        VaultTokenSource(config=Config({"VaultTokenSource": {"issuer": issuer}}))
    assert repr(issuer) in str(refused.value)


@pytest.mark.parametrize(
    "issuer",
    ["", "https://idp.example.com", "https://idp.example.com/", "http://127.0.0.1:9",
     "https://[::1]:8443/realms/a", "https://oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE"],
)  # fmt: skip
def test_an_issuer_is_kept_exactly(issuer):
    assert VaultTokenSource(issuer=issuer).issuer == issuer


@pytest.mark.parametrize("algorithms", [["HS256"], ["none"], ["RS256", "HS256"], ["rs256"], [""]])
def test_algorithms_that_would_let_others_sign_are_refused(algorithms):
    with pytest.raises(TraitError, match=f"'algorithms'.*VaultTokenSource.*not {algorithms[-1]}"):
        VaultTokenSource(algorithms=algorithms)


def test_an_empty_list_of_algorithms_is_refused():
    with pytest.raises(TraitError, match="takes one or more of RS256"):
        VaultTokenSource(algorithms=[])


def test_algorithms_can_be_narrowed():
    assert VaultTokenSource(algorithms=["ES384"]).algorithms == ["ES384"]


def test_every_setting_is_documented():
    assert all(trait.help for trait in TokenSource.class_own_traits(config=True).values())
