"""`credential_lifetime`: credentials that expire within a test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from jupyter_wb_aws.demo.identity_provider import IdentityProvider
from jupyter_wb_aws.demo.local_aws import LocalAws, accounts


def test_the_credential_lifetime_overrides_the_requested_duration(make_caller, monkeypatch):
    with IdentityProvider() as idp, LocalAws(idp.issuer, credential_lifetime=5) as aws:
        caller = make_caller(idp, aws)
        credentials = caller.assume(DurationSeconds=3600)["Credentials"]
        assert credentials["Expiration"] <= datetime.now(UTC) + timedelta(seconds=5)
        whoami = caller.client("sts", credentials).get_caller_identity
        assert whoami()
        later = accounts.utcnow() + timedelta(seconds=6)
        monkeypatch.setattr(accounts, "utcnow", lambda: later)
        assert caller.refused(whoami) == ("ExpiredToken", 403)
