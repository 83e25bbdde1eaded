"""What a caller of the hub service sees: answers, refusals, and nothing that is HTML or a 500."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import jwt
import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

import jupyter_wb_aws.hub
import jupyter_wb_aws.hub.running
from jupyter_wb_aws.base_error import WbAwsError
from jupyter_wb_aws.errors import BadRequest, InvalidRoleArn, RoleNotAllowed
from jupyter_wb_aws.hub.caller import AccessRules, Caller, check_access
from jupyter_wb_aws.hub.errors import FileNotWritten, ScopeMissing
from jupyter_wb_aws.hub.handlers import Shared, make_application, routes
from jupyter_wb_aws.hub.metrics import Metrics
from tests.hub_service.fake_hub import ACCESS, user
from tests.hub_service.running_service import ANALYST, AUDITOR, ROLES

CONTRACT = yaml.safe_load(Path(jupyter_wb_aws.hub.__file__).with_name("openapi.yaml").read_text())
METHODS = {"get", "post"}
OPERATIONS = [
    (path, method) for path, item in CONTRACT["paths"].items() for method in sorted(METHODS & item.keys())
]  # fmt: skip


@pytest.fixture
def checked(service):
    """Asks the service, and checks the exchange against the contract."""

    def ask(method, path, token=None, body=None, **more):
        answer = service.ask(method, path, token, body, **more)
        assert violations(method, path, answer) == []
        return answer

    return ask


def violations(method, path, answer):
    """Return what in an answer openapi.yaml does not allow."""
    operation = CONTRACT["paths"].get(f"/{path}", {}).get(method.lower())
    if operation is None:
        response = CONTRACT["components"]["responses"]["NotFound"]
        if answer.status_code == 405:
            response = CONTRACT["components"]["responses"]["MethodNotAllowed"]
    else:
        response = operation["responses"].get(str(answer.status_code), {})
    if "$ref" in response:
        response = CONTRACT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    kind = answer.headers["content-type"].partition(";")[0]
    if kind not in response.get("content", {}):
        return [f"{answer.status_code} {kind} is not in the contract"]
    if "json" not in kind:
        return []
    schema = {**response["content"][kind]["schema"], "components": CONTRACT["components"]}
    return [error.message for error in Draft202012Validator(schema).iter_errors(answer.json())]


def error_kinds(kind=WbAwsError):
    for one in kind.__subclasses__():
        yield one
        yield from error_kinds(one)


# --- The contract -----------------------------------------------------------------------------------


def test_the_contract_is_valid_openapi():
    validate(CONTRACT)


def test_every_error_of_the_service_has_its_status_and_meaning_in_the_contract():
    of_commands = {FileNotWritten}
    ours = {
        e for e in error_kinds() if e.__module__.startswith("jupyter_wb_aws.hub.")
    } - of_commands
    codes = {e.code: e.status for e in [*ours, BadRequest, InvalidRoleArn, RoleNotAllowed]}
    assert codes == {code: entry["status"] for code, entry in CONTRACT["x-codes"].items()}
    assert CONTRACT["components"]["schemas"]["Code"]["enum"] == list(CONTRACT["x-codes"])


def test_every_code_is_named_by_the_response_of_its_status():
    named = {
        code
        for response in CONTRACT["components"]["responses"].values()
        for code in re.findall(r"`(\w+)`", response["description"])
    }
    assert named - {"Allow"} == set(CONTRACT["x-codes"])


def test_the_service_has_exactly_the_calls_of_the_contract():
    listed = routes("/", None)
    there = {
        (path.replace("\\", ""), method.lower())
        for path, handler, _ in listed
        for method in handler.SUPPORTED_METHODS
        if method.lower() in vars(handler)
    }
    assert there == set(OPERATIONS)


def test_the_service_serves_its_contract(checked):
    assert yaml.safe_load(checked("GET", "openapi.yaml").text) == CONTRACT


# --- What is public ---------------------------------------------------------------------------------


def test_aws_can_check_a_token_by_the_public_documents_alone(service, checked):
    token = service.token().json()["token"]

    configuration = checked("GET", ".well-known/openid-configuration")
    assert configuration.json()["issuer"] == service.settings["issuer"]
    assert configuration.json()["jwks_uri"] == service.url + "keys"
    keys = checked("GET", "keys")
    key = jwt.PyJWKSet.from_dict(keys.json())[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, audience="sts.amazonaws.com", issuer=service.settings["issuer"])
    assert claims["sub"] == "user:alice"
    for answer in (configuration, keys):
        seconds = int(re.fullmatch(r"public, max-age=(\d+)", answer.headers["cache-control"])[1])
        assert 60 <= seconds <= 3600
        assert service.ask("GET", "keys", headers={"If-None-Match": keys.headers["etag"]}).status_code == 304  # fmt: skip


def test_no_public_document_is_kept_longer_than_a_new_key_waits_to_sign(start_service):
    with start_service(publish_lead=40) as service:
        for path in ("keys", ".well-known/openid-configuration"):
            assert service.ask("GET", path).headers["cache-control"] == "public, max-age=10"


@pytest.mark.parametrize(("path", "method"), sorted(OPERATIONS))
def test_no_other_origin_and_no_cookie_has_any_part(service, path, method):
    headers = {
        "Origin": "https://evil.example.org",
        "Cookie": "jupyterhub-user-alice=alice-token; token=alice-token; jupyterhub-services=alice-token",
        "Access-Control-Request-Method": "POST",
    }
    body = {"role_arn": ANALYST} if path == "/tokens" else None
    answer = service.ask(method, path[1:] + "?token=alice-token", None, body, headers=headers)

    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert "set-cookie" not in answer.headers
    public = CONTRACT["paths"][path][method].get("security") == []
    assert answer.status_code == (200 if public else 401)


# --- Roles and tokens -------------------------------------------------------------------------------


def test_a_caller_sees_who_they_are_and_their_roles(service, checked):
    answer = checked("GET", "roles", "alice-token")

    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    issuer = service.settings["issuer"]
    assert found["identity"] == {
        "subject": "alice", "name": "alice", "groups": ["analysts"], "issuer": issuer
    }  # fmt: skip
    assert (found["issuer"], found["user"], found["subject"]) == (issuer, "alice", "user:alice")
    assert (found["audience"], found["token_lifetime"]) == ("sts.amazonaws.com", 3600)
    assert found["request_url"] == "https://requests.example.org/roles"
    assert [role["arn"] for role in found["roles"]] == [ANALYST]
    assert found["key_ids"] == [key["kid"] for key in checked("GET", "keys").json()["keys"]] != []
    assert found["roles"][0]["label"] == "Analyst"
    assert found["roles"][0]["extra_environment"] == {
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9/s3"
    }
    delivered = [found["roles"][0][key] for key in ("delivery", "lease", "credential_lifetime")]
    assert delivered == ["endpoint", 660, 3600]


def test_a_token_is_good_for_the_role_that_was_asked_for(service, checked):
    answer = checked("POST", "tokens", "alice-token", {"role_arn": ANALYST})

    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    claims = jwt.decode(found["token"], options={"verify_signature": False})
    assert claims["https://aws.amazon.com/roles"] == [ANALYST]
    assert (claims["iss"], claims["sub"]) == (service.settings["issuer"], "user:alice")
    assert "analysts" not in json.dumps(claims)
    assert found["role_arn"] == ANALYST
    assert found["issuer"] == service.settings["issuer"]


def test_a_role_that_is_not_offered_is_refused_and_says_where_to_ask(checked):
    answer = checked("POST", "tokens", "alice-token", {"role_arn": AUDITOR})

    assert (answer.status_code, answer.json()["code"]) == (403, "role_not_allowed")
    assert answer.json()["request_url"] == "https://requests.example.org/roles"
    said = answer.json()["admin_hint"]
    assert "in the hub service's roles file (HubServiceApp.roles_file)" in said
    assert said.endswith("Groups of the user on the hub: analysts.")


def test_a_user_who_leaves_the_group_gets_no_token_at_the_next_call(hub, service):
    assert service.token().status_code == 201
    hub.tokens["alice-token"] = user(groups=[])
    answer = service.token()
    assert (answer.status_code, answer.json()["code"]) == (403, "role_not_allowed")
    assert service.roles().json()["roles"] == []
    hub.tokens["alice-token"] = user()
    assert service.token().status_code == 201


def test_a_token_that_ended_at_the_hub_is_refused_at_the_next_call(hub, service, checked):
    assert service.token().status_code == 201
    del hub.tokens["alice-token"]
    for method, path, body in [("GET", "roles", None), ("POST", "tokens", {"role_arn": ANALYST})]:
        answer = checked(method, path, "alice-token", body)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("scheme", ["token", "Bearer", "bearer", "TOKEN"])
def test_the_hub_is_asked_with_the_callers_token_at_each_call(hub, service, scheme):
    for _ in range(3):
        headers = {"Authorization": f"{scheme} alice-token"}
        assert service.ask("GET", "roles", headers=headers).status_code == 200
    assert [headers["Authorization"] for _, _, headers in hub.asked] == ["token alice-token"] * 3


@pytest.mark.parametrize(
    "value",
    ["", "alice-token", "Basic alice-token", "token", "token a b", "token a,b c", "token \u00e9", f"token {'x' * 2000}"],
    ids=range(8),
)  # fmt: skip
def test_what_can_not_be_a_token_is_not_sent_to_the_hub(hub, service, value):
    answer = service.ask("GET", "roles", headers={"Authorization": value.encode()})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer.json()["title"] == "The call has no token of the hub"
    assert hub.asked == []


def test_two_tokens_in_one_call_are_refused(hub, service):
    status, _ = service.raw(
        b"GET %sroles HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: token alice-token\r\n"
        b"Authorization: token bob-token\r\n\r\n" % service.prefix.encode()
    )
    assert status == 401
    assert hub.asked == []


# --- Who may call -----------------------------------------------------------------------------------

SERVER = "access:servers!server="
REFUSED = {
    "a service": (user(kind="service"), "not_a_user"),
    "no access to the service": (user(scopes=[f"{SERVER}alice/"]), "scope_missing"),
    "access to another service": (
        user(scopes=[f"{SERVER}alice/", "access:services!service=aws2"]),
        "scope_missing",
    ),
    "no server": (user(scopes=[ACCESS]), "not_a_server"),
    "all of the user's servers": (
        user(scopes=[ACCESS, "access:servers!user=alice"]),
        "not_a_server",
    ),
    "all servers": (user(scopes=[ACCESS, "access:servers"]), "not_a_server"),
    "another user's server": (user("bob", scopes=[ACCESS, f"{SERVER}alice/"]), "not_a_server"),
    "two servers": (
        user(scopes=[ACCESS, f"{SERVER}alice/", f"{SERVER}alice/second"]),
        "not_a_server",
    ),
    "a share beside the own server": (
        user(scopes=[ACCESS, f"{SERVER}alice/", f"{SERVER}bob/"]),
        "not_a_server",
    ),
    "a server of a longer name": (user("alic", scopes=[ACCESS, f"{SERVER}alice/"]), "not_a_server"),
    "a name within a name": (
        user("alice", scopes=[ACCESS, f"{SERVER}alice!server=alice/"]),
        "not_a_server",
    ),
    "a pattern as a name": (user("a*", scopes=[ACCESS, f"{SERVER}alice/"]), "not_a_server"),
    "another case": (user("Alice", scopes=[ACCESS, f"{SERVER}alice/"]), "not_a_server"),
    "a name with a slash": (user("alice/x", scopes=[ACCESS, f"{SERVER}alice/x/"]), "not_a_server"),
    "a server with a slash": (user("alice", scopes=[ACCESS, f"{SERVER}alice/x/"]), "not_a_server"),
    "an encoded slash": (user("alice", scopes=[ACCESS, f"{SERVER}alice%2F"]), "not_a_server"),
}


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_a_caller_without_the_right_to_ask_gets_nothing(hub, service, checked, case):
    hub.tokens["their-token"], code = REFUSED[case]

    for method, path, body in [("GET", "roles", None), ("POST", "tokens", {"role_arn": ANALYST})]:
        answer = checked(method, path, "their-token", body)
        assert (answer.status_code, answer.json()["code"]) == (403, code)


def test_a_server_without_the_scope_is_told_to_restart(hub, service):
    hub.tokens["alice-token"] = user(scopes=[f"{SERVER}alice/"])
    assert "restart your server" in service.roles().json()["hint"]


@pytest.mark.parametrize("server", ["", "second", "gpu-1", "a server"])
def test_any_server_of_the_users_own_may_ask(hub, service, server):
    hub.tokens["alice-token"] = user(scopes=[ACCESS, f"{SERVER}alice/{server}"])
    assert service.token().status_code == 201
    assert service.audit[-1]["server"] == server


def test_access_to_all_services_is_access(hub, service):
    hub.tokens["alice-token"] = user(scopes=["access:services", f"{SERVER}alice/"])
    assert service.token().status_code == 201


NAMES = [
    "alice:role:auditor", "a*b", "a?b", "${aws:username}", "al%69ce", "alice%", "ålice", "アリス", "alice smith", "*",
    "alice!server=bob", "alice\\bob", 'alice"', "user:alice", "alice@example.org", "\u202ealice", "alice\u0000", "..",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_an_odd_user_name_is_encoded_and_gains_nothing(hub, service, checked, name):
    hub.tokens["their-token"] = user(name)
    answer = checked("POST", "tokens", "their-token", {"role_arn": ANALYST})

    assert answer.status_code == 201
    claims = jwt.decode(answer.json()["token"], options={"verify_signature": False})
    assert re.fullmatch(r"user:[A-Za-z0-9_.@+=,%-]+", claims["sub"])
    assert claims["preferred_username"] == name
    assert service.audit[-1]["user"] == name
    refused = checked("POST", "tokens", "their-token", {"role_arn": AUDITOR})
    assert refused.json()["code"] == "role_not_allowed"


def test_a_name_that_no_token_can_have_is_refused(hub, checked):
    hub.tokens["their-token"] = user("x" * 300)
    answer = checked("POST", "tokens", "their-token", {"role_arn": ANALYST})
    assert (answer.status_code, answer.json()["code"]) == (403, "name_not_allowed")


def test_a_typo_in_an_entry_of_the_roles_file_refuses_its_role_to_nobody_for_good(start_service):
    with start_service() as service:
        good = service.roles_file.read_text()
        assert (
            service.ask("POST", "tokens", "alice-token", {"role_arn": ANALYST}).status_code == 201
        )

        service.roles_file.write_text(good.replace('[{ groups = ["analysts"] }]', '"everyon"'))
        answer = service.ask("GET", "roles", "alice-token")
        assert violations("GET", "roles", answer) == []
        assert (answer.json()["roles"], answer.json()["withheld"]) == ([], [ANALYST])
        answer = service.ask("POST", "tokens", "alice-token", {"role_arn": ANALYST})
        assert (answer.status_code, answer.json()["code"]) == (503, "roles_unavailable")
        assert "Retry-After" in answer.headers
        answer = service.ask("POST", "tokens", "alice-token", {"role_arn": AUDITOR})
        assert (answer.status_code, answer.json()["code"]) == (403, "role_not_allowed")

        service.roles_file.write_text(good.replace("analysts", "nobody"))
        answer = service.ask("POST", "tokens", "alice-token", {"role_arn": ANALYST})
        assert (answer.status_code, answer.json()["code"]) == (403, "role_not_allowed")
        assert service.ask("GET", "roles", "alice-token").json()["withheld"] == []


AT_THE_START = {
    "an allow list that can't be read": ('groups = ["analysts"]', 'group = ["analysts"]', (200, [ANALYST], False)),
    "an ARN that is none": (f'"{ANALYST}"', '"arn:aws:iam::111122223333:role"', (200, [], True)),
    "a line that is not TOML": ("label =", "label", (503, None, None)),
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(AT_THE_START))
def test_a_service_that_starts_with_an_error_in_its_roles_file_refuses_no_role_for_good(
    start_service, tmp_path, what
):
    good, bad, said = AT_THE_START[what]
    (tmp_path / "roles.toml").write_text(ROLES.replace(good, bad))
    with start_service() as service:
        answer = service.token()
        assert (answer.status_code, answer.json()["code"]) == (503, "roles_unavailable")
        roles = service.roles()
        found = roles.json()
        assert (roles.status_code, found.get("withheld"), found.get("incomplete")) == said

        service.roles_file.write_text(ROLES)
        assert service.token().status_code == 201
        assert service.roles().json()["withheld"] == []


def test_any_token_of_the_users_may_ask_where_that_is_set(hub, start_service):
    hub.tokens["alice-token"] = user(scopes=[ACCESS])
    hub.tokens["service-token"] = user("a-service", kind="service", scopes=[ACCESS])
    with start_service(only_from_servers=False) as service:
        assert service.token().status_code == 201
        assert service.audit[-1]["server"] is None
        assert service.token("service-token").json()["code"] == "not_a_user"


# --- Bad requests -----------------------------------------------------------------------------------

BODIES = {
    "none": b"", "not JSON": b"{", "not UTF-8": b'{"role_arn": "\xff"}', "a list": b"[]", "null": b"null",
    "no role": b"{}", "a number": b'{"role_arn": 1}', "null for a role": b'{"role_arn": null}',
    "an unknown field": f'{{"role_arn": "{ANALYST}", "user": "bob"}}'.encode(),
    "a field twice": f'{{"role_arn": "{ANALYST}", "role_arn": "{AUDITOR}"}}'.encode(),
    "deep": b"[" * 10_000, "a line end": f'{{"role_arn": "{ANALYST}\\n"}}'.encode(),
    "NaN": b'{"role_arn": NaN}',
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(BODIES))
def test_a_body_that_can_not_be_read_is_a_400(service, checked, case):
    answer = checked(
        "POST", "tokens", "alice-token", content=BODIES[case], headers={"Content-Type": "application/json"}
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "arn",
    ["", "analyst", "arn:aws:iam::1:role/x", f"{ANALYST} ", "*", "arn:aws:iam::111122223333:role/*", "arn:aws:sts::111122223333:assumed-role/analyst/x"],
    ids=range(7),
)  # fmt: skip
def test_what_is_not_a_roles_arn_is_a_400(checked, arn):
    answer = checked("POST", "tokens", "alice-token", {"role_arn": arn})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_role_arn")


@pytest.mark.parametrize("size", [17_000, 65_000])
def test_a_large_body_is_refused(checked, hub, size):
    answer = checked("POST", "tokens", "alice-token", {"role_arn": "x" * size})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert hub.asked == []


def test_another_media_type_is_refused(checked):
    answer = checked(
        "POST", "tokens", "alice-token", content=b"role_arn=x",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_the_body_of_a_get_has_no_meaning(checked):
    for path in ("roles", "keys", "health"):
        answer = checked("GET", path, "alice-token", content=b"x" * 20_000)
        assert answer.status_code == 200


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PURGE"])
@pytest.mark.parametrize("path", sorted(CONTRACT["paths"]))
def test_another_method_is_a_405_that_lists_the_methods_there_are(hub, service, path, method):
    answer = service.ask(method, path[1:], "alice-token")

    assert answer.status_code == 405
    there = {one.lower() for one in answer.headers["allow"].split(", ")}
    assert there == METHODS & CONTRACT["paths"][path].keys()
    assert answer.headers["content-type"] == "application/problem+json"
    assert hub.asked == []


@pytest.mark.parametrize(
    "path", ["", "nothing", "tokens/", "roles/x", "../hub/home", "keys%2f", "%00", "tokens;x", "a" * 5000],
    ids=range(9),
)  # fmt: skip
def test_another_path_is_a_404_in_json(service, checked, path):
    for method in ("GET", "POST"):
        answer = service.ask(method, path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_outside_of_its_prefix_the_service_has_nothing(service):
    for target in (
        b"/",
        b"/tokens",
        b"/services/aws",
        b"/services/aws2/keys",
        b"//services/aws/keys",
    ):
        status, body = service.raw(
            b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % target
        )
        assert (status, json.loads(body)["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "request_",
    [b"GARBAGE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST /services/aws/tokens HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"POST /services/aws/tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n"],
    ids=range(4),
)  # fmt: skip
def test_what_is_not_http_is_a_bare_400_as_the_contract_says(service, request_):
    status, body = service.raw(request_)
    assert (status, body) == (400, b"")
    assert "64 KiB, gets a bare 400 without any body" in " ".join(
        CONTRACT["info"]["description"].split()
    )
    assert service.roles().status_code == 200


# --- Keys -------------------------------------------------------------------------------------------


def test_keys_are_rotated_by_a_holder_of_the_scope_alone(hub, service, checked):
    hub.tokens["rotating"] = user(
        "rotator", kind="service", scopes=["custom:jupyter-wb-aws:keys"], groups=[]
    )
    for token in ("alice-token", "unknown-token"):
        assert checked("POST", "keys", token, {}).status_code in {401, 403}
    before = checked("GET", "keys").json()["keys"]

    answer = checked("POST", "keys", "rotating", {})

    assert answer.status_code == 201
    after = {key["kid"] for key in checked("GET", "keys").json()["keys"]}
    assert after == {key["kid"] for key in before} | {answer.json()["kid"]}
    line = service.audit[-1]
    assert (line["event"], line["user"], line["kid"]) == ("keys_rotated", "rotator", answer.json()["kid"])  # fmt: skip
    assert service.token("rotating").json()["code"] == "not_a_user"


def test_a_compromised_key_is_no_longer_published(hub, service, checked):
    hub.tokens["rotating"] = user("root", scopes=["custom:jupyter-wb-aws:keys"])
    stolen = jwt.get_unverified_header(service.token().json()["token"])["kid"]
    waiting = [checked("POST", "keys", "rotating", {}).json() for _ in range(2)]

    answer = checked("POST", "keys", "rotating", {"compromised": stolen})

    assert answer.status_code == 201
    assert [made["was_made"] for made in waiting[1:]] == [False]  # one may have waited before
    assert answer.json()["withdrawn"] == [stolen, waiting[0]["kid"]]
    assert service.audit[-1]["withdrawn"] == answer.json()["withdrawn"]
    assert stolen not in {key["kid"] for key in checked("GET", "keys").json()["keys"]}
    assert jwt.get_unverified_header(service.token().json()["token"])["kid"] != stolen
    unknown = checked("POST", "keys", "rotating", {"compromised": "../../etc/passwd"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_key")


# --- Defects ----------------------------------------------------------------------------------------


async def test_a_defect_is_a_problem_too_and_its_text_is_not_in_the_log(caplog):
    class Broken:
        async def caller(self, token):
            raise ValueError(f"a message with {token}")

        roles_of = None

    shared = Shared(Broken(), Broken(), None, Metrics(), public_max_age=60)
    server = HTTPServer(make_application("/services/aws/", shared))
    (socket,) = bind_sockets(0, "127.0.0.1")
    server.add_sockets([socket])
    url = f"http://127.0.0.1:{socket.getsockname()[1]}/services/aws/roles?token=alice-token"
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            answer = await client.get(url, headers={"Authorization": "token alice-token"})
    finally:
        server.stop()

    assert violations("GET", "roles", answer) == []
    assert (answer.status_code, answer.json()["code"]) == (503, "internal_error")
    assert "retry-after" in answer.headers
    assert "ValueError" in caplog.text
    assert "alice-token" not in caplog.text + answer.text


def test_a_missing_scope_is_explained_in_the_words_of_the_hub_s_configuration():
    """To an administrator, a role may be AWS's."""
    caller = Caller("user", "alice", (), frozenset(), "a1")
    with pytest.raises(ScopeMissing) as refused:
        check_access(caller, AccessRules("aws"))

    assert refused.value.detail == "The hub gives you no access to the hub service for AWS."
    assert "(c.JupyterHub.load_roles), two roles of the hub need" in refused.value.admin_hint
    assert "access:services!service=aws:" in refused.value.admin_hint
