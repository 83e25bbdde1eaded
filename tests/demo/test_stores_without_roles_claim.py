"""`reads_roles_claim=False`: an AWS partition, or a store, that knows the trust policy only."""

from __future__ import annotations

from jupyter_wb_aws.demo.identity_provider import IdentityProvider
from jupyter_wb_aws.demo.local_aws import LocalAws, accounts
from jupyter_wb_aws.demo.local_aws.seed import trust
from jupyter_wb_aws.demo.names import ROLES_CLAIM, role_arn


def test_it_lets_a_token_for_another_role_in_as_its_trust_policy_says(make_caller):
    with IdentityProvider() as idp, LocalAws(idp.issuer, reads_roles_claim=False) as aws:
        caller = make_caller(idp, aws)
        for_auditor = idp.mint(**{ROLES_CLAIM: [role_arn("auditor")]})
        assert caller.assume("analyst", WebIdentityToken=for_auditor)["Credentials"]
        assert caller.refused(caller.assume, "finance-admin", WebIdentityToken=for_auditor) == (
            "AccessDenied", 403,
        )  # fmt: skip


def test_no_token_of_its_is_one_that_the_provider_has_authorized_for_a_role(make_caller):
    with IdentityProvider() as idp, LocalAws(idp.issuer, reads_roles_claim=False) as aws:
        policy = trust(idp.issuer.removeprefix("http://"), "alice")
        policy["Statement"][0]["Condition"]["Bool"] = {"sts:RoleAuthorizedByIdp": "true"}
        accounts.add_role("bound", policy)
        caller = make_caller(idp, aws)
        token = idp.mint(**{ROLES_CLAIM: [role_arn("bound")]})
        assert caller.refused(caller.assume, "bound", WebIdentityToken=token) == (
            "AccessDenied", 403,
        )  # fmt: skip
