"""Tokens whose issuer has changed its key or has stopped."""

from __future__ import annotations

import http.client

import pytest

from jupyter_wb_aws.demo.identity_provider import IdentityProvider
from jupyter_wb_aws.demo.local_aws import LocalAws

INVALID = ("InvalidIdentityToken", 400)


def test_a_token_is_refused_once_its_key_is_withdrawn(make_caller):
    with IdentityProvider() as idp, LocalAws(idp.issuer) as aws:
        caller = make_caller(idp, aws)
        old = idp.mint()
        assert caller.assume(WebIdentityToken=old)
        idp.rotate_key()
        assert caller.refused_token(old) == INVALID
        assert caller.assume(WebIdentityToken=idp.mint())


def test_an_issuer_that_cannot_be_reached_is_reported(make_caller):
    with IdentityProvider() as idp, LocalAws(idp.issuer) as aws:
        token = idp.mint()
        idp.close()
        assert make_caller(idp, aws).refused_token(token) == ("IDPCommunicationError", 400)


def test_a_token_outlives_neither_its_issuer_nor_its_provider_in_iam(make_caller):
    with IdentityProvider() as idp, LocalAws(idp.issuer) as aws:
        caller = make_caller(idp, aws)
    with IdentityProvider() as other, LocalAws(other.issuer) as aws:
        caller = make_caller(other, aws)
        assert caller.refused_token(idp.mint()) == INVALID


def test_two_local_aws_at_once_are_refused_since_they_would_share_their_state():
    with LocalAws("http://127.0.0.1:1"), pytest.raises(RuntimeError, match="Only one"):
        LocalAws("http://127.0.0.1:2")


def test_a_new_local_aws_knows_nothing_about_the_last_one(make_caller):
    with IdentityProvider() as idp:
        with LocalAws(idp.issuer) as aws:
            credentials = make_caller(idp, aws).credentials()
        with LocalAws(idp.issuer) as aws:
            caller = make_caller(idp, aws)
            call = caller.client("sts", credentials).get_caller_identity
            assert caller.refused(call) == ("InvalidClientTokenId", 403)


def test_keys_on_another_machine_are_not_asked_for(make_caller, monkeypatch):
    asked, real = [], http.client.HTTPConnection

    def connection(host, **more):
        asked.append(host)
        assert host.startswith("127.0.0.1:")
        return real(host, **more)

    class Elsewhere(IdentityProvider):
        def discovery_document(self):
            return super().discovery_document() | {"jwks_uri": "http://192.0.2.1/jwks"}

    with Elsewhere() as idp, LocalAws(idp.issuer) as aws:
        monkeypatch.setattr(http.client, "HTTPConnection", connection)

        code, _ = make_caller(idp, aws).refused_token(idp.mint())

        assert code == "IDPCommunicationError"
        assert asked == [idp.issuer.removeprefix("http://")]
