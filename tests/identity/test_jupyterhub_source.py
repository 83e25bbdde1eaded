"""Token source `jupyterhub`: what is sent where, what is believed, and what each answer means."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from jsonschema import Draft202012Validator
from traitlets import TraitError

import jupyter_wb_aws
from jupyter_wb_aws.errors import (
    IdpBadAnswer,
    IdpTimeout,
    IdpUnavailable,
    RoleNotAllowed,
    SignInRequired,
    TokenInvalid,
    TokenSourceFailed,
    WbAwsError,
)
from jupyter_wb_aws.identity.hub_environment import service_urls
from jupyter_wb_aws.identity.jupyterhub_source import JupyterHubTokenSource
from jupyter_wb_aws.identity.source import TokenRequest
from tests.hub_stand_in import PREFIX, ROLES_CLAIM, HubStandIn, entry, refused
from tests.identity.fetching import Answering
from tests.openid import failing, hanging, say

ANALYST = "arn:aws:iam::111122223333:role/analyst"
AUDITOR = "arn:aws:iam::111122223333:role/auditor"
FOR_ANALYST = TokenRequest(role_arn=ANALYST)
CALLS = ("roles", "tokens")
CONTRACT = Path(jupyter_wb_aws.__file__).with_name("hub") / "openapi.yaml"


@pytest.fixture
def hub():
    with HubStandIn() as hub:
        hub.roles["alice"] = [entry(ANALYST, region="us-east-2"), entry(AUDITOR, audience="other")]
        yield hub


@pytest.fixture
def make(hub, jp_asyncio_loop, monkeypatch):
    for name in ("JUPYTER_WB_AWS_SERVICE_URL", "JUPYTERHUB_PUBLIC_HUB_URL", "JUPYTERHUB_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", hub.api_token)
    made = []

    def make(**settings):
        source = JupyterHubTokenSource(**{"service_url": hub.service_url, **settings})
        made.append(source)
        return source

    yield make
    for source in made:
        jp_asyncio_loop.run_until_complete(source.close())


@pytest.fixture
def source(make):
    return make()


async def verified(source, request=FOR_ANALYST):
    token = await source.fetch(request)
    await source.verify(token, request)
    return token


# --- What it brings --------------------------------------------------------------------------


async def test_identity_and_roles_come_from_the_service(source, hub):
    found = await source.identity_and_roles()

    assert (found.identity.issuer, found.identity.subject) == (hub.issuer, "alice")
    assert found.identity.groups == ("analysts",)
    assert [role["arn"] for role in found.roles] == [ANALYST, AUDITOR]
    assert found.request_url == "https://ask.example.com"


async def test_each_role_has_a_token_of_its_own_that_is_verified(source, hub):
    analyst = await verified(source)
    auditor = await verified(source, TokenRequest(role_arn=AUDITOR))

    assert analyst.claims[ROLES_CLAIM] == [ANALYST]
    assert (analyst.claims["aud"], auditor.claims["aud"]) == (hub.audience, "other")
    assert source.binds_role
    assert source.knows_roles


@pytest.mark.parametrize("subject", ["user:{user}", "user:{user}:role:111122223333/analyst"])
async def test_the_owner_is_the_hub_user_whatever_the_subject(source, hub, subject):
    hub.subject = subject
    token = await source.fetch(FOR_ANALYST)

    before = source.identity_of(token)
    asked = (await source.identity_and_roles()).identity

    assert (before.issuer, before.subject) == (hub.issuer, "alice")
    assert source.identity_of(token) == asked
    assert before.same_user(asked)


async def test_a_clock_that_is_wrong_is_taken_into_account(source, hub):
    hub.clock_ahead = timedelta(seconds=90)
    token = await verified(source)
    assert token.clock_ahead == pytest.approx(timedelta(seconds=90), abs=timedelta(seconds=3))


async def test_without_a_role_there_is_no_token(source, hub):
    with pytest.raises(TokenSourceFailed, match="one role each"):
        await source.fetch(TokenRequest())
    assert hub.asked == []


async def test_the_stand_in_of_these_tests_speaks_the_contract_of_the_service(source, hub):
    contract = yaml.safe_load(CONTRACT.read_text("utf-8"))

    def violations(name, document):
        schema = {**contract["components"]["schemas"][name], "components": contract["components"]}
        return [error.message for error in Draft202012Validator(schema).iter_errors(document)]

    def ask(method, call, token, **body):
        headers = {"Authorization": f"Bearer {token}"}
        return httpx2.request(method, hub.service_url + call, headers=headers, **body)

    mine, unknown = hub.api_token, "unknown"
    assert violations("RoleList", ask("GET", "roles", mine).json()) == []
    token = ask("POST", "tokens", mine, json={"role_arn": ANALYST})
    assert (token.status_code, violations("Token", token.json())) == (201, [])
    no_role = ask("POST", "tokens", mine, json={"role_arn": ANALYST + "s"})
    nobody = ask("GET", "roles", unknown)
    hub.without_access.add("alice")
    no_access = ask("GET", "roles", mine)
    for answer in (no_role, nobody, no_access):
        problem = answer.json()
        assert violations("Problem", problem) == []
        assert contract["x-codes"][problem["code"]]["status"] == answer.status_code


# --- Where the server's own token goes ---------------------------------------------------------


async def test_the_servers_token_is_in_one_header_and_goes_to_the_service_alone(
    source, hub, caplog
):
    caplog.set_level(logging.DEBUG)
    await verified(source)

    authorized = [path for _, path, header in hub.asked if header == f"Bearer {hub.api_token}"]
    assert sorted(authorized) == [PREFIX + "roles", PREFIX + "tokens"]
    public = [path for _, path, header in hub.asked if header is None]
    assert sorted(public) == [PREFIX + ".well-known/openid-configuration", PREFIX + "keys"]
    assert hub.api_token not in f"{caplog.text} {source!r} {vars(source)!r}"


@pytest.mark.parametrize("call", CALLS)
async def test_a_redirect_is_not_followed(source, hub, call):
    with HubStandIn() as other:
        hub.always[call] = lambda handler: say(
            handler, b"", 307, Location=f"{other.service_url}{call}"
        )
        with pytest.raises(IdpBadAnswer, match=r"redirect to 127.0.0.1:\d+, which is not followed"):
            await (source.identity_and_roles() if call == "roles" else source.fetch(FOR_ANALYST))
        assert other.asked == []


async def test_a_plain_service_is_not_asked_through_a_proxy(make, hub, monkeypatch):
    with Answering() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        source = make(
            service_url="http://hub.invalid/services/aws/",
            proxy=proxy.url,
        )

        with pytest.raises(IdpUnavailable, match=r"hub\.invalid"):
            await source.identity_and_roles()

        assert proxy.asked == []


async def test_what_the_service_quotes_of_the_servers_token_is_not_shown(source, hub, caplog):
    said = f"The token {hub.api_token} is unknown."
    hub.always["tokens"] = refused(401, "not_authenticated", said, hint=said, admin_hint=said)

    with pytest.raises(TokenSourceFailed) as failed:
        await source.fetch(FOR_ANALYST)

    shown = f"{failed.value.as_problem()} {failed.value!r} {caplog.text}"
    assert "is unknown" in shown
    assert hub.api_token[8:] not in shown


# --- How it is found ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "urls"),
    [
        ({}, []), ({"JUPYTERHUB_API_URL": "http://127.0.0.1:8081/hub/api"}, ["http://127.0.0.1:8081/services/aws/"]),
        ({"JUPYTERHUB_API_URL": "https://h.example.com/jupyter/hub/api/"}, ["https://h.example.com/jupyter/services/aws/"]),
        (
            {"JUPYTERHUB_API_URL": "http://hub:8081/hub/api", "JUPYTERHUB_PUBLIC_HUB_URL": "https://h.example.com/x/hub/"},
            ["https://h.example.com/x/services/aws/", "http://hub:8081/services/aws/"],
        ),
        (
            {"JUPYTERHUB_API_URL": "https://h.example.com/hub/api", "JUPYTERHUB_PUBLIC_HUB_URL": "https://h.example.com/hub/"},
            ["https://h.example.com/services/aws/"],
        ),
        ({"JUPYTERHUB_API_URL": "nonsense", "JUPYTERHUB_PUBLIC_HUB_URL": ""}, []),
    ],
)  # fmt: skip
def test_the_hubs_variables_say_where_the_service_may_be(environment, urls):
    assert service_urls(environment, "aws") == urls


async def test_of_several_places_the_one_with_an_issuers_documents_gets_the_token(
    make, hub, monkeypatch
):
    with Answering() as other:
        monkeypatch.setenv("JUPYTERHUB_PUBLIC_HUB_URL", f"{other.url}/hub/")
        monkeypatch.setenv("JUPYTERHUB_API_URL", f"{hub.url}/hub/api")
        source = make(service_url="")

        await verified(source)

        assert source.where == hub.service_url
        assert hub.api_token not in str(other.asked)


async def test_a_place_that_can_not_be_reached_is_passed_over_and_named_if_no_other_is_right(
    make, hub, monkeypatch
):
    with HubStandIn() as gone:
        monkeypatch.setenv("JUPYTERHUB_PUBLIC_HUB_URL", f"{gone.url}/hub/")
    monkeypatch.setenv("JUPYTERHUB_API_URL", f"{hub.url}/hub/api")
    await verified(make(service_url=""))

    monkeypatch.delenv("JUPYTERHUB_API_URL")
    with pytest.raises(IdpUnavailable, match="No hub service was found") as failed:
        await make(service_url="").identity_and_roles()
    assert f"The hub service at {gone.service_url} can't be reached" in failed.value.admin_hint


async def test_where_no_place_has_them_the_setting_is_named(make, hub, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_API_URL", f"{hub.url}/elsewhere/hub/api")
    source = make(service_url="")

    with pytest.raises(IdpUnavailable, match="No hub service was found at http://") as failed:
        await source.identity_and_roles()

    assert "JupyterHubTokenSource.service_url" in failed.value.admin_hint
    assert "the variable JUPYTER_WB_AWS_SERVICE_URL of c.Spawner" in failed.value.admin_hint
    assert "/elsewhere/services/aws/ answers HTTP 404" in failed.value.admin_hint
    assert not any(header for _, _, header in hub.asked)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (failing(302, Location="https://hub.example.org/login"),
         "HTTP 302, a redirect to hub.example.org, which is not followed."),
        (failing(200, b"<html>Log in</html>", Content_Type="text/html"), "HTTP 200, text/html."),
    ],
    ids=["a redirect", "HTML"],
)  # fmt: skip
async def test_where_no_place_has_them_what_each_answers_is_named(
    make, hub, monkeypatch, answer, what
):
    monkeypatch.setenv("JUPYTERHUB_API_URL", f"{hub.url}/hub/api")
    hub.always[".well-known/openid-configuration"] = answer
    with pytest.raises(IdpUnavailable) as failed:
        await make(service_url="").identity_and_roles()
    assert failed.value.admin_hint.endswith(f"{hub.service_url} answers {what}")


async def test_a_variable_that_the_administrator_sets_comes_before_the_hubs_own(
    make, hub, monkeypatch
):
    monkeypatch.setenv("JUPYTERHUB_API_URL", "http://127.0.0.1:9/hub/api")
    monkeypatch.setenv("JUPYTER_WB_AWS_SERVICE_URL", hub.service_url.rstrip("/"))
    await verified(make(service_url=""))


@pytest.mark.parametrize("by_variable", [False, True])
async def test_where_a_wrong_url_came_from_is_named_and_that_waiting_does_not_help(
    make, hub, monkeypatch, by_variable
):
    wrong = f"{hub.url}/services/awz/"
    if by_variable:
        monkeypatch.setenv("JUPYTER_WB_AWS_SERVICE_URL", wrong)
    source = make(service_url="" if by_variable else wrong)
    with pytest.raises(IdpBadAnswer, match=f"The hub service at {wrong} .* HTTP 404") as failed:
        await source.identity_and_roles()
    named = "the variable JUPYTER_WB_AWS_SERVICE_URL" if by_variable else "JupyterHubTokenSource.service_url"  # fmt: skip
    assert f"The URL comes from {named}" in failed.value.admin_hint
    assert "waiting does not help" in failed.value.hint


def test_what_is_missing_is_named(make, hub, monkeypatch):
    assert make().missing_setting() is None
    assert make(service_url="").missing_setting() == "JupyterHubTokenSource.service_url"
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN")
    assert "JUPYTERHUB_API_TOKEN" in make().missing_setting()


@pytest.mark.parametrize(
    "url", ["hub.example.com", "ftp://hub", "https://hub/?x=y", "https://u:p4ssw0rd@hub/"]
)
def test_a_url_that_is_none_is_refused(make, monkeypatch, url):
    with pytest.raises(TraitError, match="service_url") as by_setting:
        make(service_url=url)
    monkeypatch.setenv("JUPYTER_WB_AWS_SERVICE_URL", url)
    with pytest.raises(TraitError, match="JUPYTER_WB_AWS_SERVICE_URL") as by_variable:
        make(service_url="")
    assert "p4ssw0rd" not in f"{by_setting.value} {by_variable.value}"


# --- What is believed --------------------------------------------------------------------------


async def test_a_pinned_issuer_refuses_every_other(make, hub):
    source = make(issuer="https://hub.example.com/services/aws")
    with pytest.raises(
        TokenInvalid, match=r"expects 'https://hub\.example\.com/services/aws'"
    ) as refused:
        await source.identity_and_roles()
    assert "HubServiceApp.issuer of the hub service" in refused.value.admin_hint
    assert await make(issuer=hub.issuer).identity_and_roles()


@pytest.mark.parametrize("issuer", ["{url}/elsewhere", "{url}/services/aws/"])
async def test_an_issuer_that_leads_elsewhere_is_the_services_own_setting(source, hub, issuer):
    """As where it lacks the hub's base URL."""
    hub.issuer, right = issuer.format(url=hub.url), hub.issuer
    document = {"issuer": right, "jwks_uri": f"{right}/keys"}
    hub.always[".well-known/openid-configuration"] = lambda handler: say(handler, document)
    with pytest.raises((IdpBadAnswer, TokenInvalid)) as failed:
        await verified(source)
    assert f"its issuer is {hub.issuer}, from" in failed.value.admin_hint
    assert "Correct HubServiceApp.issuer of the hub service" in failed.value.admin_hint


async def test_a_token_that_the_issuers_keys_have_not_signed_is_refused(source, hub):
    token = await source.fetch(FOR_ANALYST)
    hub.key, hub.kid = rsa.generate_private_key(public_exponent=65537, key_size=2048), "k1"
    with pytest.raises(TokenInvalid, match="signature is not"):
        await source.verify(token, FOR_ANALYST)


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({ROLES_CLAIM: [AUDITOR]}, "is not for this role"), ({ROLES_CLAIM: 7}, "is not for this role"),
        ({"preferred_username": "bob"}, "is for the user 'bob'"), ({"preferred_username": None}, "is for the user None"),
        ({"iss": "https://other.example.com"}, "`iss`"), ({"aud": "elsewhere"}, "`aud`"),
    ],
)  # fmt: skip
async def test_a_token_for_something_else_is_refused(source, hub, claims, why):
    hub.claims = claims
    token = await source.fetch(FOR_ANALYST)
    with pytest.raises(TokenInvalid, match=why):
        await source.verify(token, FOR_ANALYST)


@pytest.mark.parametrize("claim", [None, f"{AUDITOR};{ANALYST}"])
async def test_a_token_without_the_roles_claim_or_with_several_roles_is_accepted(
    source, hub, claim
):
    hub.claims = {ROLES_CLAIM: claim}
    await verified(source)


async def test_a_pinned_audience_is_required_of_every_token(make, hub):
    source = make(audience="pinned")
    with pytest.raises(TokenInvalid, match="'pinned'"):
        await verified(source)
    hub.roles["alice"] = [entry(ANALYST, audience="pinned")]
    await verified(source)


async def test_a_new_issuer_and_a_new_user_name_are_believed_once_the_service_says_so(source, hub):
    old = source.identity_of(await verified(source))
    hub.issuer = hub.issuer.replace("127.0.0.1", "localhost")
    hub.users[hub.api_token] = "alicia"
    hub.roles["alicia"] = hub.roles["alice"]

    new = source.identity_of(await verified(source))

    assert (new.issuer, new.subject) == (hub.issuer, "alicia")
    assert not new.same_user(old)


# --- What each answer means ----------------------------------------------------------------------


async def test_a_role_that_is_not_offered_says_where_to_ask(source):
    with pytest.raises(RoleNotAllowed, match="not offered to alice") as refusal:
        await source.fetch(TokenRequest(role_arn=ANALYST + "s"))
    assert refusal.value.request_url == "https://ask.example.com"


@pytest.mark.parametrize("call", CALLS)
async def test_a_missing_scope_takes_every_role_away_and_says_what_to_do(source, hub, call):
    hub.without_access.add("alice")
    with pytest.raises(RoleNotAllowed, match="access:services!service=aws") as refusal:
        await (source.identity_and_roles() if call == "roles" else source.fetch(FOR_ANALYST))
    assert refusal.value.hint == "Restart the server, then try again."


async def test_what_the_service_says_to_an_administrator_of_a_role_reaches_them(source, hub):
    said = refused(403, "role_not_allowed", "It is not offered.", admin_hint="Groups: none.")
    hub.faults["tokens"].append(said)
    with pytest.raises(RoleNotAllowed) as refusal:
        await source.fetch(FOR_ANALYST)
    assert refusal.value.admin_hint == "Groups: none."


HTML = b"<html><body>Service Unavailable</body></html>"
AWAY = {
    "the proxy's page": failing(503, HTML, Content_Type="text/html"), "busy": refused(503, "hub_busy", "Busy."),
    "too many": refused(429, "too_many_tokens", "Too many."), "the hub's page": failing(404, HTML),
    "a login page": failing(200, HTML, Content_Type="text/html"), "a redirect": failing(302, b"", Location="/hub/login"),
    "no content": failing(200), "a list": failing(200, b"[]"), "an unknown token": refused(401, "not_authenticated", "No."),
    "not a server": refused(403, "not_a_server", "No."), "a gateway's 403": failing(403, HTML),
    "another JSON document": failing(403, {"role_not_allowed": True}), "wrong types": failing(403, {"code": 7, "detail": []}),
    "role_not_allowed by a broken proxy": refused(502, "role_not_allowed", "No."),
}  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", sorted(AWAY))
async def test_what_is_no_definite_answer_takes_nothing_away(source, hub, call, fault):
    hub.always[call] = AWAY[fault]
    with pytest.raises(WbAwsError) as failed:
        await (source.identity_and_roles() if call == "roles" else source.fetch(FOR_ANALYST))
    assert not isinstance(failed.value, RoleNotAllowed | SignInRequired)
    assert failed.value.status >= 500
    assert failed.value.hint
    assert failed.value.detail.endswith(".")


async def test_the_service_says_when_to_come_back(source, hub):
    hub.always["tokens"] = lambda handler: say(
        handler, {"code": "too_many_tokens", "detail": "Too many."}, 429, Retry_After="17"
    )
    with pytest.raises(IdpUnavailable, match="Too many") as failed:
        await source.fetch(FOR_ANALYST)
    assert failed.value.retry_after == 17


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "body",
    [HTML, {"message": "Maintenance"}, {"detail": "Maintenance"}],
    ids=["HTML", "a message", "a detail"],
)
async def test_only_the_service_itself_says_when_to_come_back(source, hub, call, body):
    hub.always[call] = failing(503, body, Retry_After="3600")
    with pytest.raises(IdpUnavailable, match="not available now|Maintenance") as failed:
        await (source.identity_and_roles() if call == "roles" else source.fetch(FOR_ANALYST))
    assert failed.value.retry_after is None


async def test_a_service_that_hangs_or_is_gone_is_named(make, hub):
    event = threading.Event()
    hub.always["tokens"] = hanging(event)
    with pytest.raises(
        IdpTimeout, match=r"The hub service at http://127\.0\.0\.1:\d+/services/aws/ did not"
    ):
        await make(timeout=0.2).fetch(FOR_ANALYST)
    event.set()
    hub.close()
    with pytest.raises(IdpUnavailable, match="The hub service at .* can't be reached") as gone:
        await make().fetch(FOR_ANALYST)
    assert "service_url" in gone.value.admin_hint


@pytest.mark.parametrize("call", CALLS)
async def test_an_answer_that_is_not_http_is_the_hub_services(source, hub, call):
    hub.always[call] = lambda handler: handler.wfile.write(b"Hello!\r\n\r\n")
    with pytest.raises(IdpBadAnswer, match="The hub service at") as failed:
        await (source.identity_and_roles() if call == "roles" else source.fetch(FOR_ANALYST))
    assert failed.value.title == "The hub service's answer can't be used"


@pytest.mark.parametrize(
    "changes",
    [{"issuer": None}, {"issuer": "hub"}, {"issuer": "https://u:p@hub"}, {"user": None}, {"user": ""}, {"user": 7}, {"roles": {}}],
    ids=str,
)  # fmt: skip
async def test_an_answer_without_its_parts_is_none(source, hub, changes):
    hub.changes = changes
    with pytest.raises(IdpBadAnswer, match="can't be understood"):
        await source.identity_and_roles()


async def test_parts_that_may_be_missing_are_missed_by_nobody(source, hub):
    hub.changes = {
        "identity": None,
        "audience": None,
        "request_url": "javascript:alert(1)",
        "extra": 1,
    }
    found = await source.identity_and_roles()
    assert (found.identity.name, found.identity.groups, found.request_url) == ("alice", (), None)


async def test_an_answer_without_a_token_is_none(source, hub):
    hub.always["tokens"] = failing(201, {"token": None})
    with pytest.raises(IdpBadAnswer, match="no token"):
        await source.fetch(FOR_ANALYST)
