"""A JupyterHub with the hub service, as an administrator sets it up, and the strict local AWS that trusts it.

The users: alice is in `analysts` and `auditors`, bob in `finance`, carol in `analysts`; all are in `aws`, which gives
access to the service. Each group has a role; the trust policies bind tokens to it in one way only, so that nothing else
refuses them.
"""

from __future__ import annotations

import json
import logging
import secrets
import shlex
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore
from botocore.config import Config
from botocore.exceptions import ClientError

from jupyter_wb_aws.demo.local_aws import LocalAws, accounts
from jupyter_wb_aws.demo.names import ACCOUNT_ID, BUCKET, REGION, role_arn
from tests.hub.running_hub import until
from tests.peers.ports import free_ports
from tests.running_demo import TESTED

ANALYST, AUDITOR, FINANCE = (role_arn(f"hub-{name}") for name in ("analyst", "auditor", "finance"))
GROUP_OF = {ANALYST: "analysts", AUDITOR: "auditors", FINANCE: "finance"}
GROUPS = {
    "aws": ["alice", "bob", "carol"],
    "analysts": ["alice", "carol"],
    "auditors": ["alice"],
    "finance": ["bob"],
}
AUDIENCE = "sts.amazonaws.com"
SCOPE = "access:services!service=aws"
SAYS_MORE = ["sts:TagSession", "sts:SetSourceIdentity"]
"""What a trust policy must allow for a token with session tags and a source identity, such as those for `FINANCE`."""
BY_CLAIM = {"Bool": {"sts:RoleAuthorizedByIdp": "true"}}
"""What AWS itself enforces: the token's roles claim."""
BY_SUBJECT = "user:{user}:role:{account}/{role}"
"""The template of `sub` for stores and partitions that do not know the claim."""
REPORTING, ROTATING = secrets.token_hex(16), secrets.token_hex(16)
"""The tokens of two services: one that may not do anything more than a user, and one that rotates the keys."""
OBJECT = "README.txt"
READ = f"""
import boto3
body = boto3.Session().client("s3").get_object(Bucket={BUCKET!r}, Key={OBJECT!r})["Body"]
print(body.read().decode().splitlines()[0])
"""
"""Reads an object as any notebook would: with new credentials each time."""
CONTENT = "Projects of the Colorado team."


@dataclass
class Trail(logging.Handler):
    """What the local AWS has decided, as CloudTrail would have it."""

    lines: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self):
        super().__init__(logging.INFO)

    def emit(self, record):
        self.lines.append(json.loads(record.getMessage()))

    __hash__ = logging.Handler.__hash__


class HubSite:
    """A hub with the service: `site.start(start_hub)`.

    Args:
        stack: takes down what is made, an `ExitStack`.
        service: more settings of the hub service.
        server_config: more configuration of the single-user servers.
        aws: options of the local AWS.
        conditions: of the roles' trust policies: a function of the condition keys' prefix and a role's ARN.
    """

    def __init__(
        self, stack, *, service=None, server_config=None, aws=None, conditions=lambda host, arn: BY_CLAIM
    ):  # fmt: skip
        self._stack = stack
        self._service = service or {}
        self._server_config = server_config or {}
        self._aws_options = aws or {}
        self._conditions = conditions
        self.hub = None
        self.trail = Trail()

    def start(self, start_hub, **options):
        """Start the hub, with more options if they are given, and wait until the service answers behind its proxy."""
        self.hub = start_hub(**{**self.options, **options})
        until(
            lambda: self.ask("GET", "health", None).status_code == 200,
            lambda: f"the service does not answer:\n{self.log_path.read_text()}\n{self.hub.log}",
        )

    @property
    def options(self):
        return {
            "users": sorted({user for users in GROUPS.values() for user in users}),
            "groups": GROUPS,
            "services": self._services,
            "roles": [
                {"name": "aws-users", "groups": ["aws"], "scopes": [SCOPE]},
                {
                    "name": "server",
                    "scopes": ["users:activity!user", "access:servers!server", SCOPE],
                },
                {"name": "reporting", "services": ["reporting"], "scopes": [SCOPE]},
                {
                    "name": "rotating",
                    "services": ["rotating"],
                    "scopes": ["custom:jupyter-wb-aws:keys", SCOPE],
                },
            ],
            "config": lambda hub: (
                f"""
c.JupyterHub.public_url = {hub.url!r}
c.JupyterHub.custom_scopes = {{"custom:jupyter-wb-aws:keys": {{"description": "Rotate the keys"}}}}
"""
            ),
            "server_config": {
                "WbAwsApp": {"token_source": "jupyterhub"},
                **self._server_config,
            },
        }

    def _services(self, hub):
        self.folder = hub.folder / "services"
        self.folder.mkdir(mode=0o700)
        self.keys, self.audit_path = self.folder / "keys", self.folder / "audit.log"
        self.log_path = self.folder / "service.log"
        self.log_path.touch(mode=0o600)
        (self.folder / "roles.toml").touch(mode=0o600)
        self.issuer = f"{hub.url}services/aws"
        self.aws = self._stack.enter_context(self._local_aws())
        (self.folder / "roles.toml").write_text(roles_file(self.aws.url))
        settings = {
            "issuer": self.issuer,
            "audience": AUDIENCE,
            "roles_file": str(self.folder / "roles.toml"),
            "keys_dir": str(self.keys),
            "audit_log": str(self.audit_path),
            **self._service,
        }
        (self.folder / "config.json").write_text(json.dumps({"HubServiceApp": settings}))
        (port,) = free_ports(1)
        run = f"exec {shlex.join(self.command())} >>{shlex.quote(str(self.log_path))} 2>&1"
        return [
            {"name": "aws", "url": f"http://127.0.0.1:{port}", "command": ["sh", "-c", run]},
            {"name": "reporting", "api_token": REPORTING},
            {"name": "rotating", "api_token": ROTATING},
        ]

    def command(self, *subcommand):
        """The service's command, as the administrator runs it."""
        program = str(TESTED / "bin/jupyter-wb-aws-hub")
        return [program, *subcommand, f"--config={self.folder / 'config.json'}"]

    @contextmanager
    def _local_aws(self):
        log = logging.getLogger("jupyter_wb_aws.demo.local_aws.trail")
        log.addHandler(self.trail)
        log.setLevel(logging.INFO)
        with LocalAws("http://127.0.0.1:9/another-issuer", **self._aws_options) as aws:
            provider, host = (
                accounts.register_provider(self.issuer, [AUDIENCE]),
                self.issuer.partition("://")[2],
            )
            for arn in GROUP_OF:
                more = SAYS_MORE if arn == FINANCE else []
                trust = trust_policy(provider, self._conditions(host, arn), more)
                accounts.add_role(arn.rpartition("/")[2], trust, READS)
            yield aws
        log.removeHandler(self.trail)

    # --- What the tests do ---------------------------------------------------------------------------

    def ask(self, method, path, token, **more):
        """Call the service; return the response."""
        return self.hub.fetch(method, f"services/aws/{path}", token=token, **more)

    def mint(self, token, role=ANALYST):
        """Ask for a token for a role; return the response."""
        return self.ask("POST", "tokens", token, body={"role_arn": role})

    def web_identity(self, token, role=ANALYST):
        """Return a web identity token."""
        answer = self.mint(token, role)
        assert answer.status_code == 201, answer.text
        return answer.json()["token"]

    def assume(self, web_identity, role):
        """Ask the local AWS for credentials; return `accepted`, or the code of the refusal."""
        unsigned = Config(
            signature_version=botocore.UNSIGNED, proxies={}, retries={"total_max_attempts": 1}
        )
        sts = boto3.client("sts", endpoint_url=self.aws.url, region_name=REGION, config=unsigned)
        try:
            sts.assume_role_with_web_identity(
                RoleArn=role, RoleSessionName="a-test", WebIdentityToken=web_identity
            )
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "accepted"

    def by_hand(self, user, server=""):
        """Make a token as a user can make it by hand, with what the service asks of a server's token."""
        return self.hub.token(user, scopes=[f"access:servers!server={user}/{server}", SCOPE])

    def audit(self):
        """Return the lines of the audit log."""
        return [json.loads(line) for line in self.audit_path.read_text().splitlines()]


def roles_file(aws_url):
    """Offer each role to its group, at the local AWS, with what else a token can say."""
    return 'request_url = "https://example.com/request-an-aws-role"\n' + "".join(
        f"""
[[roles]]
arn = "{arn}"
region = "{REGION}"
allow = [{{ groups = ["{group}"] }}]
extra_environment = {{ AWS_ENDPOINT_URL = "{aws_url}" }}
"""
        for arn, group in GROUP_OF.items()
    ).replace(
        f'"{FINANCE}"',
        f"""\"{FINANCE}"
source_identity = "{{user}}"
tags = {{ Team = "finance", Person = "{{user}}" }}""",
    )


def trust_policy(provider, conditions, actions):
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": provider},
                "Action": ["sts:AssumeRoleWithWebIdentity", *actions],
                "Condition": conditions,
            }
        ],
    }


def by_subject(host, arn):
    """Return the condition that binds tokens by their `sub` alone."""
    return {"StringLike": {f"{host}:sub": f"user:*:role:{ACCOUNT_ID}/{arn.rpartition('/')[2]}"}}


READS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:GetObject"],
            "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
        }
    ],
}
