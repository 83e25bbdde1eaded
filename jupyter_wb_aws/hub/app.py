"""The hub service's command, `jupyter-wb-aws-hub`: its settings, and what it runs."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, cast

from traitlets import Bool, Enum, Integer, TraitError, Unicode, default, validate
from traitlets.config import Application, catch_config_error
from traitlets.config.loader import JSONFileConfigLoader, PyFileConfigLoader
from traitlets.utils.bunch import Bunch

from jupyter_wb_aws.hub.command_line import StrictLoader, quiet_when_nobody_reads
from jupyter_wb_aws.hub.names import subject_template_problem
from jupyter_wb_aws.hub.service_settings import MAX_TOKEN_LIFETIME, ServiceSettings
from jupyter_wb_aws.hub.setting_checks import (
    audience_problem,
    issuer_problem,
    managed_address,
    prefix_problem,
    url_problem,
)
from jupyter_wb_aws.identity.redact import redact_userinfo
from jupyter_wb_aws.unknown_settings import unknown_settings

_NAMES = [field.name for field in dataclasses.fields(ServiceSettings)]
# Not in the current folder: anyone who can write there could run a program with the rights of the user who types a
# command.
CONFIG_FILE = "/etc/jupyterhub/jupyter_wb_aws_hub_config.py"
LOADERS = {".py": PyFileConfigLoader, ".json": JSONFileConfigLoader}


class HubServiceApp(Application):
    """A JupyterHub service that signs web identity tokens for AWS, each for one user and one role."""

    name = "jupyter-wb-aws-hub"
    description = """
    A JupyterHub service that signs web identity tokens for AWS, each for one user and one role.
    """
    version = importlib.metadata.version("jupyter_wb_aws")
    raise_config_file_errors = True
    max_arguments: ClassVar[int] = 0
    examples = """
    jupyter-wb-aws-hub --config=/srv/hub/jupyter_wb_aws_hub_config.py
    """

    config_file = Unicode(
        config=True,
        help=f"The configuration file, .py or .json. If it is not set, {CONFIG_FILE}, which may be missing.",
    )
    issuer = Unicode(
        "",
        config=True,
        help="""The `iss` of every token: the https URL at which AWS finds the service, such as
        https://hub.example.org/services/aws. Another issuer is another identity provider to AWS, and makes
        every user somebody else.""",
    )
    audience = Unicode(
        "sts.amazonaws.com",
        config=True,
        help="The `aud` of the tokens for roles that have no `audience` in the roles file.",
    )
    roles_file = Unicode(
        "",
        config=True,
        help="""The TOML file that lists the roles, who may use them, and what tokens for them say besides. The
        service reads it again when it changes.""",
    )
    keys_dir = Unicode(
        "",
        config=True,
        help="""The folder with the signing keys, and nothing else. A folder of the service's own (0700) gets its keys
        from the service; in a read-only one, such as a mounted Kubernetes Secret, the administrator puts them.""",
    )
    algorithm = Enum(
        ["RS256", "ES256"],
        "RS256",
        config=True,
        help="What new keys sign with. ES256 takes a fifth of the time; not every S3-compatible store knows it.",
    )
    token_lifetime = Integer(
        3600,
        min=10,
        max=MAX_TOKEN_LIFETIME,
        config=True,
        help="""For how many seconds a token is valid. AWS accepts it up to five minutes longer. A user who lost a
        role can use a copied token for that time.""",
    )
    publish_lead = Integer(
        3600,
        min=0,
        max=7 * 24 * 3600,
        config=True,
        help="""For how many seconds a new key is published before it signs, so that nobody who keeps the public keys
        for a while refuses a token.""",
    )
    subject_template = Unicode(
        "user:{user}",
        config=True,
        help="""The `sub` of the tokens. {user} is the hub's name of the user, percent-encoded. For stores that do not
        know AWS's claim with the role, add {account} and {role} (the role's name, after its path if it has one):
        user:{user}:role:{account}/{role}""",
    )
    audit_log = Unicode(
        "",
        config=True,
        help="""The file to which the service appends one JSON line for each token, before it hands the token out.
        While the line can't be written, there are no tokens.""",
    )
    tokens_per_minute = Integer(
        60,
        min=1,
        max=100_000,
        config=True,
        help="How many tokens one user may have in a minute, from each process of the service.",
    )
    hub_requests_per_second = Integer(
        100,
        min=1,
        max=10_000,
        config=True,
        help="""How many questions each process of the service may send to the hub in a second. Callers beyond that
        wait for two seconds at most, then get 503 and come back later. One user gets a quarter of it at most;
        tokens that the hub has not accepted before get half of it together.""",
    )
    only_from_servers = Bool(
        default_value=True,
        config=True,
        help="""Whether only tokens of a user's own server may ask. Otherwise any token of the user may that has
        access to the service.""",
    )
    service_name = Unicode(
        config=True,
        help="The service's name on the hub. If it is not set, JUPYTERHUB_SERVICE_NAME, else `aws`.",
    )
    prefix = Unicode(
        config=True,
        help="""The path below which the service answers. If it is not set, JUPYTERHUB_SERVICE_PREFIX, else
        /services/NAME/.""",
    )
    ip = Unicode(
        config=True,
        help="""The address to listen at, such as 0.0.0.0 for every IPv4 address of the machine. If it is not set, that
        of JUPYTERHUB_SERVICE_URL, else 127.0.0.1. If it is set to an empty text, all addresses.""",
    )
    port = Integer(
        min=1,
        max=65535,
        config=True,
        help="The port to listen at. If it is not set, that of JUPYTERHUB_SERVICE_URL, else 10101.",
    )
    hub_api_url = Unicode(
        config=True,
        help="The URL of the hub's API, such as http://hub:8081/hub/api. The default is JUPYTERHUB_API_URL.",
    )
    hub_ca_bundle = Unicode(
        config=True,
        help="""A PEM file with the authority of the hub's certificate. The default is JUPYTERHUB_SSL_CLIENT_CA; if
        that is empty, the system's authorities.""",
    )

    subcommands = {  # noqa: RUF012 - as traitlets has it
        "rotate": ("jupyter_wb_aws.hub.key_apps.RotateApp", "Make the next signing key."),
        "new-key": (
            "jupyter_wb_aws.hub.key_apps.NewKeyApp",
            "Make a key for a folder that the service can't write to, such as a Kubernetes Secret.",
        ),
        "export": (
            "jupyter_wb_aws.hub.key_apps.ExportApp",
            "Write the two public files, for a web server that AWS can reach.",
        ),
        "trust-policy": (
            "jupyter_wb_aws.hub.policy_commands.TrustPolicyApp",
            "Print the IAM identity providers and trust policies for every role of the roles file.",
        ),
        "terraform": (
            "jupyter_wb_aws.hub.policy_commands.TerraformApp",
            "Print the same as a Terraform configuration.",
        ),
    }
    aliases = {  # noqa: RUF012 - as traitlets has it
        "config": "HubServiceApp.config_file",
        "ip": "HubServiceApp.ip",
        "port": "HubServiceApp.port",
        "log-level": "Application.log_level",
    }

    @default("config_file")
    def _config_file(self) -> str:
        return CONFIG_FILE

    @default("log_level")
    def _log_level(self) -> int:
        return logging.INFO

    @default("log_format")
    def _log_format(self) -> str:
        return "[%(levelname)1.1s %(asctime)s.%(msecs).03d %(name)s] %(message)s"

    @default("service_name")
    def _service_name(self) -> str:
        return os.environ.get("JUPYTERHUB_SERVICE_NAME") or "aws"

    @default("prefix")
    def _prefix(self) -> str:
        return os.environ.get("JUPYTERHUB_SERVICE_PREFIX") or f"/services/{self.service_name}/"

    @default("ip")
    def _ip(self) -> str:
        return managed_address(os.environ)[0]

    @default("port")
    def _port(self) -> int:
        return managed_address(os.environ)[1]

    @default("hub_api_url")
    def _hub_api_url(self) -> str:
        return os.environ.get("JUPYTERHUB_API_URL", "")

    @default("hub_ca_bundle")
    def _hub_ca_bundle(self) -> str:
        return os.environ.get("JUPYTERHUB_SSL_CLIENT_CA", "")

    @validate("issuer")
    def _an_issuer(self, proposal: Bunch) -> str:
        return _checked(proposal, issuer_problem)

    @validate("audience")
    def _an_audience(self, proposal: Bunch) -> str:
        return _checked(proposal, audience_problem)

    @validate("hub_api_url")
    def _a_url(self, proposal: Bunch) -> str:
        return _checked(proposal, url_problem)

    @validate("prefix")
    def _a_prefix(self, proposal: Bunch) -> str:
        return _checked(proposal, prefix_problem)

    @validate("subject_template")
    def _a_template(self, proposal: Bunch) -> str:
        return _checked(proposal, subject_template_problem)

    def _create_loader(self, argv: Any, aliases: Any, flags: Any, classes: Any) -> StrictLoader:
        return StrictLoader(
            argv, aliases, flags, classes=classes, log=self.log, subcommands=self.subcommands
        )

    @catch_config_error
    def initialize(self, argv: list[str] | None = None) -> None:
        """Read the command line and the configuration file.

        Raises:
            TraitError: if a setting is wrong; the command then ends with one sentence.
        """
        self.parse_command_line(argv)
        if self.subapp is not None:
            return
        if len(self.extra_args) > self.max_arguments:
            raise TraitError(
                f"{self.extra_args[-1]!r} is not a command or an option. --help lists what there is."
            )
        self.read_config_file()
        for sentence in unknown_settings(self.config, {"HubServiceApp": HubServiceApp}):
            self.log.warning("%s", sentence)

    @catch_config_error
    def start(self) -> None:
        """Run the service until it is stopped, or the subcommand.

        Raises:
            TraitError: if a setting is missing, or something that it names can't be used.
        """
        if self.subapp is not None:
            self.subapp.start()
            return
        self.require("issuer", "roles_file", "keys_dir", "audit_log", "hub_api_url")
        from jupyter_wb_aws.hub.running import run

        self._log_as_one()
        run(self.service_settings())

    def service_settings(self) -> ServiceSettings:
        """Return the settings as plain values."""
        return ServiceSettings(**{name: getattr(self, name) for name in _NAMES})

    def require(self, *names: str) -> None:
        """Check that settings without a default are there.

        Raises:
            TraitError: if one of them is empty.
        """
        for name in names:
            if not getattr(self, name):
                path = Path(self.config_file).expanduser()
                where = f"Set it in {path}"
                if not path.is_file():
                    where = f"There is no {path}: name the configuration file with --config=FILE"
                raise TraitError(
                    f"HubServiceApp.{name} is not set. {where}, or set it on the command line:"
                    f" --HubServiceApp.{name}=…"
                )

    @property
    def names_config_file(self) -> bool:
        """Whether the command line names a configuration file."""
        # traitlets files it under the class of the subcommand.
        return any("config_file" in section for section in self.cli_config.values())

    def read_config_file(self) -> None:
        """Read the configuration file.

        Raises:
            TraitError: if it can't be read, or the one that the command line names does not exist.
        """
        path = Path(self.config_file).expanduser()
        if not path.is_file():
            if self.names_config_file:
                raise TraitError(f"The configuration file {path} does not exist.")
            return
        if path.suffix not in LOADERS:
            raise TraitError(f"The configuration file {path} must end with .py or .json.")
        try:
            # `load_config_file` would run x.py for x.json, too.
            loader = LOADERS[path.suffix](path.name, path=str(path.absolute().parent), log=self.log)
            config = loader.load_config()
            config.merge(self.cli_config)
            self.update_config(config)
        except TraitError:
            raise
        except Exception as error:  # noqa: BLE001 - the file is a program
            raise TraitError(
                f"The configuration file {path} can't be read: {type(error).__name__}: {error}"
            ) from None

    def _log_as_one(self) -> None:
        """Let our modules and tornado log as the application does; it has no access log of tornado's.

        What tornado logs of malformed requests quotes their headers.
        """
        for name in ("jupyter_wb_aws", "tornado"):
            logger = logging.getLogger(name)
            logger.parent, logger.propagate = self.log, True
            logger.setLevel(self.log.level)
        logging.getLogger("tornado.general").setLevel(logging.ERROR)
        logging.getLogger("tornado.access").setLevel(logging.ERROR)


def _checked(proposal: Bunch, problem_of: Callable[[str], str | None]) -> str:
    value, trait = cast("str", proposal["value"]), proposal["trait"]
    # Whether a setting without a default is there, `require` checks.
    if (value or trait.default_value) and (problem := problem_of(value)):
        shown = redact_userinfo(f"{value!r:.300}")
        raise TraitError(f"HubServiceApp.{trait.name} can't be {shown}: {problem}")
    return value


def main() -> None:
    """Run the command."""
    with quiet_when_nobody_reads():
        HubServiceApp.launch_instance()


if __name__ == "__main__":
    main()
