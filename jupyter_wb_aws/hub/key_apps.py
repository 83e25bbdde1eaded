"""The subcommands for keys: `rotate`, `new-key` and `export`. `key_commands` has what they do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from traitlets import Integer, Unicode

from jupyter_wb_aws.clock import SystemClock
from jupyter_wb_aws.errors import WbAwsError
from jupyter_wb_aws.hub import key_commands
from jupyter_wb_aws.hub.app import HubServiceApp
from jupyter_wb_aws.hub.keys import SigningKeys

DAY = 86400


class KeyApp(HubServiceApp):
    """What the subcommands share: they have the service's settings, and print one sentence or end with 1."""

    subcommands = {}  # noqa: RUF012 - as traitlets has it

    def run(self, command: Callable[[], str]) -> None:
        """Print what a command says.

        Raises:
            SystemExit: with 1 and a sentence, if it has failed.
        """
        try:
            print(command())  # noqa: T201 - what the command is for
        except WbAwsError as error:
            sys.exit(f"{error.detail} {error.hint}")

    def folder(self) -> Path:
        """Return the folder with the service's keys."""
        self.require("keys_dir")
        return Path(self.keys_dir).expanduser().absolute()

    def keys(self) -> SigningKeys:
        """Return the service's keys.

        Raises:
            KeysUnavailable: if there is no key.
        """
        folder = self.folder()
        key_commands.require_a_key(folder)
        clock = SystemClock()
        keys = SigningKeys(folder, self.algorithm, self.token_lifetime, self.publish_lead, clock)
        keys.open()
        return keys


class RotateApp(KeyApp):
    """Make the next signing key. The running service needs no restart."""

    name = "jupyter-wb-aws-hub rotate"
    description = """
    Make the next signing key: it is published at once, and signs after publish_lead. Run this as the service's user.
    With --compromised, a key is withdrawn at once. If it was the one that signs, a new one signs from now on.
    The audit log gets a line, if one is set.
    """
    examples = (
        "jupyter-wb-aws-hub rotate --config=/etc/jupyterhub/jupyter_wb_aws_hub_config.py\n"
        "jupyter-wb-aws-hub rotate --config=… --compromised 8KUWT4XPeKPGaj6bKY2aADa9lbgoDskxtIs9Q6LXIjY"
    )
    compromised = Unicode(
        "",
        config=True,
        help="The `kid` of a key that is no longer to be trusted. AWS refuses what it signed as soon as it reads the"
        " keys again; AWS may keep old keys for a while, so delete the IAM identity provider first: docs/hub-service-aws.md, 'A stolen key'.",
    )
    aliases = {  # noqa: RUF012 - as traitlets has it
        "config": "HubServiceApp.config_file",
        "compromised": "RotateApp.compromised",
    }

    def start(self) -> None:
        """Rotate the keys.

        Raises:
            SystemExit: with 1 if they can't be rotated.
        """
        compromised = self.compromised or None
        audit_log = Path(self.audit_log).expanduser() if self.audit_log else None
        self.run(lambda: key_commands.rotate(self.keys(), SystemClock(), compromised, audit_log))


class NewKeyApp(KeyApp):
    """Make a key for a folder that the service can't write to, such as a Kubernetes Secret."""

    name = "jupyter-wb-aws-hub new-key"
    description = """
    Make a key for a folder that the service can't write to, such as a Kubernetes Secret. Add its file to the Secret,
    and keep the old one there until tokens that it signed have expired.
    """
    examples = """
    jupyter-wb-aws-hub new-key --out keys
    """
    out = Unicode("", config=True, help="The folder to which the key's file is written.")
    signs_after = Integer(
        DAY,
        min=0,
        config=True,
        help="After how many seconds the key signs, if there are others. It has to be in its place by then.",
    )
    aliases = {  # noqa: RUF012 - as traitlets has it
        "config": "HubServiceApp.config_file",
        "out": "NewKeyApp.out",
        "signs-after": "NewKeyApp.signs_after",
        "algorithm": "HubServiceApp.algorithm",
    }

    def read_config_file(self) -> None:
        """Read the configuration file if one is named: the command also runs where there is no service.

        Raises:
            TraitError: if it can't be read.
        """
        if self.names_config_file:
            super().read_config_file()

    def start(self) -> None:
        """Make the key.

        Raises:
            SystemExit: with 1 if it can't be written.
        """
        if not self.out:
            sys.exit("Where to? Name a folder: jupyter-wb-aws-hub new-key --out DIR")
        out, clock = Path(self.out), SystemClock()
        self.run(lambda: key_commands.new_key(out, self.algorithm, self.signs_after, clock))


class ExportApp(KeyApp):
    """Write the two public files, for a web server that AWS can reach."""

    name = "jupyter-wb-aws-hub export"
    description = """
    Write the issuer's two public files into the folder DIR (jupyter-wb-aws-hub export DIR), for a web server that AWS can
    reach where the hub is private. Run this as the service's user. Write them again after each rotation, before the new key signs.
    """
    examples = """
    jupyter-wb-aws-hub export /srv/aws-keys/hub --config=/etc/jupyterhub/jupyter_wb_aws_hub_config.py
    """
    aliases = {"config": "HubServiceApp.config_file"}  # noqa: RUF012 - as traitlets has it
    max_arguments = 1

    def start(self) -> None:
        """Write the files.

        Raises:
            SystemExit: with 1 if they can't be written.
        """
        self.require("issuer")
        if not self.extra_args:
            sys.exit("Where to? Name a folder: jupyter-wb-aws-hub export DIR")
        out = Path(self.extra_args[0])
        self.run(lambda: key_commands.export(self.folder(), self.issuer, out, SystemClock()))
