from __future__ import annotations

import http.client
import json
import stat
import subprocess
import sys
import time
from urllib.parse import urlsplit
from urllib.request import urlopen

import jwt
import pytest

from jupyter_wb_aws.demo.identity_provider import IdentityProvider
from jupyter_wb_aws.demo.names import CLIENT_ID, SOURCE_IDENTITY_CLAIM, TAGS_CLAIM
from jupyter_wb_aws.demo.users import ALICE, User


def ask(idp, method, path, body=None, secret=None):
    connection = http.client.HTTPConnection(urlsplit(idp.issuer).netloc, timeout=5)
    headers = {} if body is None else {"Content-Type": "application/x-www-form-urlencoded"}
    if secret is not None:
        headers["Authorization"] = f"Bearer {secret}"
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    answer = response.status, json.loads(response.read())
    connection.close()
    return answer


@pytest.fixture
def client_file(idp, tmp_path):
    path = tmp_path / "client.json"
    idp.write_client_file(path)
    return path


@pytest.fixture
def secret(client_file):
    return json.loads(client_file.read_text())["secret"]


def print_token(*arguments, env=None):
    command = [sys.executable, "-m", "jupyter_wb_aws.demo.print_token", *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)


def test_a_token_can_be_verified_with_the_published_keys(idp):
    status, discovery = ask(idp, "GET", "/.well-known/openid-configuration")
    assert (status, discovery["issuer"]) == (200, idp.issuer)
    jwks = ask(idp, "GET", urlsplit(discovery["jwks_uri"]).path)[1]
    key = jwt.PyJWKSet.from_dict(jwks)[jwt.get_unverified_header(idp.mint())["kid"]]
    claims = jwt.decode(idp.mint(), key, ["RS256"], audience=CLIENT_ID, issuer=idp.issuer)
    assert claims["sub"] == "alice"


def test_the_page_for_requesting_a_role_loads_nothing_from_elsewhere(idp):
    with urlopen(f"{idp.url}/request-a-role?team=finance", timeout=10) as answer:
        page = answer.read().decode()
        policy = answer.headers["Content-Security-Policy"]
    assert "place for requesting roles" in page
    assert policy.startswith("default-src 'none'")
    assert "http" not in page


def test_the_published_keys_hold_nothing_private(idp):
    (key,) = idp.jwks()["keys"]
    assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}


def test_alices_claims_are_what_the_extension_and_aws_read(idp):
    claims = idp.claims("alice")
    assert claims["preferred_username"] == "alice"
    assert "analysts" in claims["groups"]
    assert claims[SOURCE_IDENTITY_CLAIM] == "alice"
    assert claims[TAGS_CLAIM]["principal_tags"]["Team"] == ["analytics"]
    assert claims[TAGS_CLAIM]["transitive_tag_keys"] == ["Team", "CostCenter"]
    assert claims["exp"] - claims["iat"] == idp.token_lifetime
    assert claims["jti"] != idp.claims("alice")["jti"]


def test_the_lifetime_of_tokens_can_be_chosen():
    with IdentityProvider(token_lifetime=10) as idp:
        assert idp.claims()["exp"] - time.time() <= 10


def test_other_users_can_be_added():
    bob = User("bob", "Bob", "bob@example.com", ("finance",), {})
    with IdentityProvider(users=(ALICE, bob)) as idp:
        assert idp.claims("bob")["groups"] == ["finance"]


def test_a_client_that_knows_the_secret_gets_a_token(idp, secret):
    status, answer = ask(idp, "POST", "/token", "user=alice", secret)
    assert status == 200
    assert jwt.decode(answer["id_token"], options={"verify_signature": False})["sub"] == "alice"


@pytest.mark.parametrize("wrong", [None, "", "guess", "ünknown"])
def test_other_clients_get_no_token(idp, wrong):
    wrong = wrong and wrong.encode("latin-1").decode("latin-1")
    status, answer = ask(idp, "POST", "/token", "user=alice", wrong)
    assert (status, answer) == (401, {"error": "invalid_client"})


def test_an_unknown_user_gets_no_token(idp, secret):
    assert ask(idp, "POST", "/token", "user=mallory", secret)[0] == 400
    assert ask(idp, "POST", "/token", "", secret)[0] == 400


@pytest.mark.parametrize("path", ["/", "/mint", "/authorize", "/device", "/static/style.css"])
def test_there_are_no_other_paths(idp, path):
    assert ask(idp, "GET", path) == (404, {"error": "not_found"})
    assert ask(idp, "POST", path) == (404, {"error": "not_found"})


def test_a_link_can_not_fetch_a_token(idp, secret):
    assert ask(idp, "GET", "/token?user=alice", secret=secret)[0] == 405


def test_a_web_site_that_resolves_its_name_to_this_machine_is_refused(idp):
    netloc = urlsplit(idp.issuer).netloc
    connection = http.client.HTTPConnection(netloc, timeout=5)
    connection.request("GET", "/jwks", headers={"Host": f"evil.example:{netloc.split(':')[1]}"})
    assert connection.getresponse().status == 400
    connection.close()


def test_the_client_file_is_private_and_never_replaces_another(idp, client_file):
    assert stat.S_IMODE(client_file.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        idp.write_client_file(client_file)


def test_neither_key_nor_secret_is_shown(idp, secret):
    assert secret not in repr(idp)
    assert "PRIVATE" not in repr(idp.signing_key)


def test_the_command_prints_a_token(client_file, idp):
    proxies = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    done = print_token(client_file, env=proxies)
    assert (done.returncode, done.stderr) == (0, "")
    claims = jwt.decode(done.stdout.strip(), options={"verify_signature": False})
    assert (claims["iss"], claims["sub"]) == (idp.issuer, "alice")


def test_the_command_explains_what_is_wrong(tmp_path):
    with IdentityProvider() as idp:
        idp.write_client_file(tmp_path / "gone.json")
        idp.write_client_file(tmp_path / "wrong.json")
        client = json.loads((tmp_path / "wrong.json").read_text())
        (tmp_path / "wrong.json").write_text(json.dumps(client | {"secret": "wrong"}))
        refused = print_token(tmp_path / "wrong.json")
    gone = print_token(tmp_path / "gone.json")
    missing = print_token(tmp_path / "missing.json")
    for done, said in [(refused, "refused"), (gone, "still running"), (missing, "can't be read")]:
        assert (done.returncode, done.stdout) == (1, "")
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert print_token().returncode == 2


LOADED = """
import sys, jupyter_wb_aws.demo.print_token
heavy = {"boto3", "botocore", "moto", "jwt", "jupyter_server", "tornado", "requests"}
print(sorted(heavy & set(sys.modules)))
"""


def test_the_command_imports_nothing_heavy():
    command = [sys.executable, "-c", LOADED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"
