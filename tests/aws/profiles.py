"""The user's own profile files, and the setting in each that overrides the role."""

import pytest

STATIC = "aws_access_key_id = AKIA\naws_secret_access_key = secret\n"


def _case(id_, file, text, key):
    return pytest.param(file, text, key, id=id_)


# The file in ~/.aws, its text, and the key that would win, or None. As measured in
# docs/decisions/0003-environment.md.
CONFLICTING = [
    _case("keys-in-credentials", "credentials", f"[default]\n{STATIC}", "aws_access_key_id"),
    _case("keys-in-config", "config", f"[default]\n{STATIC}", "aws_access_key_id"),
    _case("keys-of-another-profile", "credentials", f"[other]\n{STATIC}", None),
    _case("keys-of-another-profile-in-config", "config", f"[profile other]\n{STATIC}", None),
    _case("credential_process", "config", "[default]\ncredential_process = /opt/get\n", "credential_process"),
    _case("profile-default", "config", "[profile default]\ncredential_process = /opt/get\n", "credential_process"),
    _case("role_arn", "config", "[default]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = other\n[profile other]\n", "role_arn"),
    _case("credential_source", "config", "[default]\ncredential_source = Environment\n", "credential_source"),
    _case("sso_region", "config", "[default]\nsso_start_url = https://x\nsso_region = us-east-1\n", "sso_region"),
    _case("sso_role_name", "config", "[default]\nsso_role_name = x\n", "sso_role_name"),
    _case("sso_account_id", "config", "[default]\nsso_account_id = 1\n", "sso_account_id"),
    _case("sso_session", "config", "[default]\nsso_session = corp\n[sso-session corp]\n", "sso_session"),
    _case("login_session", "config", "[default]\nlogin_session = x\n", "login_session"),
    _case("web_identity_token_file", "config", "[default]\nweb_identity_token_file = /x\n", "web_identity_token_file"),
    _case("region-and-output-only", "config", "[default]\nregion = eu-central-1\noutput = json\n", None),
    _case("capital-letters", "config", "[default]\nAWS_Access_Key_ID = x\n", "aws_access_key_id"),
    _case("spaces-in-the-header", "config", "[ default ]\ncredential_process = x\n", "credential_process"),
    _case("quoted-header", "config", '[profile "default"]\ncredential_process = x\n', "credential_process"),
    _case("DEFAULT-before-default", "config", "[DEFAULT]\ncredential_process = x\n[default]\nregion = x\n", "credential_process"),
    _case("profile-default-x", "config", "[profile default-x]\ncredential_process = x\n", None),
    _case("comments-only", "config", "# [default]\n# credential_process = x\n", None),
    _case("nested-under-s3", "config", "[default]\ns3 =\n  role_arn = x\n", None),
    _case("services-without-a-profile", "config", "[default]\nregion = x-1\n[services]\nsts =\n  endpoint_url = http://x\n", None),
    _case("empty-file", "config", "", None),
]  # fmt: skip
