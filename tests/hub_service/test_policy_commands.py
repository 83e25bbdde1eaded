"""The commands `trust-policy` and `terraform`, as an administrator runs them."""

import json
import subprocess
import sys

import hcl2
import pytest

ISSUER = "https://hub.example.com/services/aws"
ARN = "arn:aws:iam::111122223333:role/{}"
GOOD = f'[[roles]]\narn = "{ARN.format("analyst")}"\nallow = "everyone"\n'
IN_CHINA = GOOD.replace("arn:aws:", "arn:aws-cn:")


@pytest.fixture
def run(tmp_path):
    """Run a command with a roles file; what a site has set is in the service's configuration file."""

    def run(*command, roles=GOOD, settings=""):
        (tmp_path / "roles.toml").write_text(roles)
        config = tmp_path / "hub_config.py"
        config.write_text(
            f"c.HubServiceApp.issuer = {ISSUER!r}\nc.HubServiceApp.roles_file = {str(tmp_path / 'roles.toml')!r}\n{settings}"
        )
        return subprocess.run(
            [sys.executable, "-m", "jupyter_wb_aws.hub.app", *command, f"--config={config}"],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return run


def test_the_commands_of_the_aws_cli_are_printed(run):
    done = run("trust-policy")

    assert (done.returncode, done.stderr) == (0, "")
    assert (
        f"aws iam create-open-id-connect-provider --url {ISSUER} --client-id-list sts.amazonaws.com"
        in done.stdout
    )
    assert (
        "aws iam update-assume-role-policy --role-name analyst --policy-document '" in done.stdout
    )


def test_other_formats_can_be_chosen(run):
    as_json, as_stack_set = (
        run("trust-policy", f"--format={name}") for name in ("json", "stack-set")
    )
    document, template = json.loads(as_json.stdout), json.loads(as_stack_set.stdout)

    assert as_json.stderr + as_stack_set.stderr == ""
    assert [role["arn"] for role in document["roles"]] == [ARN.format("analyst")]
    assert list(template["Resources"]) == ["HubService", "RoleAnalyst"]


def test_the_settings_of_the_service_count(run):
    settings = 'c.HubServiceApp.audience = "hub"\nc.HubServiceApp.subject_template = "u:{user}:role:{account}/{role}"\n'
    done = run("trust-policy", "--format=json", settings=settings)
    (role,) = json.loads(done.stdout)["roles"]
    (statement,) = role["trust_policy"]["Statement"]

    assert statement["Condition"]["StringEquals"] == {"hub.example.com/services/aws:aud": "hub"}
    assert statement["Condition"]["StringLike"] == {
        "hub.example.com/services/aws:sub": "u:*:role:111122223333/analyst"
    }


def test_terraform_is_printed_for_terraform(run):
    done = run("terraform")

    assert (done.returncode, done.stderr) == (0, "")
    assert len(hcl2.loads(done.stdout)["resource"]) == 2


def test_what_can_not_be_printed_is_explained_and_the_rest_is_printed(run):
    claim = '[roles_from_claim]\nclaim = "groups"\naccounts = ["111122223333"]\n'
    done = run(
        "trust-policy", "--format=json", roles=GOOD + IN_CHINA + "[[roles]]\narn = 7\n" + claim
    )

    assert done.returncode == 1
    assert [role["arn"] for role in json.loads(done.stdout)["roles"]] == [ARN.format("analyst")]
    bad, china, by_claim = done.stderr.strip().splitlines()
    assert bad.startswith("The roles file, line 7: `arn` must be a text")
    assert "There is no trust policy for arn:aws-cn:iam::111122223333:role/analyst" in china
    assert "List those roles as [[roles]] without `allow`" in by_claim


@pytest.mark.parametrize(
    ("roles", "reason"),
    [
        ("roles = ", "line 1: Invalid value"),
        ("[[tags]]\n" + GOOD, "line 1: a [[tags]] table needs `tags`"),
        ("", "the file names no roles"),
    ],
)
def test_without_a_roles_file_that_can_be_read_nothing_is_printed(run, roles, reason):
    done = run("trust-policy", roles=roles)

    assert (done.returncode, done.stdout) == (1, "")
    assert "The roles file can't be used." in done.stderr
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", ["terraform", *(f"trust-policy --format={name}" for name in ("commands", "json", "new-roles", "stack-set"))]
)  # fmt: skip
def test_where_no_role_has_a_trust_policy_nothing_is_printed(run, command):
    done = run(*command.split(), roles=IN_CHINA)

    assert (done.returncode, done.stdout) == (1, "")
    assert "There is no trust policy for arn:aws-cn:iam::111122223333:role/analyst" in done.stderr


@pytest.mark.parametrize("command", ["terraform", "trust-policy"])
@pytest.mark.parametrize(
    ("issuer", "why"),
    [
        ("http://127.0.0.1:8000/services/aws", "https URLs only"),
        ("https://hub.example.com:8443/services/aws", "no issuer with a port"),
    ],
)
def test_an_issuer_that_aws_refuses_is_a_warning_beside_what_is_printed(run, command, issuer, why):
    done = run(command, settings=f"c.HubServiceApp.issuer = {issuer!r}\n")

    assert done.returncode == 0
    assert done.stderr.strip().endswith(f"AWS accepts {why}.")
    assert why not in done.stdout


def test_an_issuer_for_stores_alone_is_no_warning(run):
    of_store = GOOD + 'extra_environment = {AWS_ENDPOINT_URL_STS = "https://minio.example.com"}\n'
    settings = (
        'c.HubServiceApp.issuer = "http://127.0.0.1:8000/services/aws"\n'
        'c.HubServiceApp.subject_template = "u:{user}:role:{account}/{role}"\n'
    )
    assert run("trust-policy", roles=of_store, settings=settings).stderr == ""


def test_a_missing_setting_is_named(run):
    done = run("terraform", settings='c.HubServiceApp.roles_file = ""\n')

    assert (done.returncode, done.stdout) == (1, "")
    assert "HubServiceApp.roles_file is not set" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ([], "A JupyterHub service that signs web identity tokens"),
        (["trust-policy"], "Print the IAM identity providers and trust policies"),
        (["terraform"], "Print IAM identity providers and roles as a Terraform configuration"),
    ],
)
def test_help_begins_with_what_the_command_does(run, command, what):
    assert run(*command, "--help").stdout.startswith(what)
