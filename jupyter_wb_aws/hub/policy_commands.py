"""The commands `trust-policy` and `terraform`: what IAM needs for every role of the roles file."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from traitlets import Enum

from jupyter_wb_aws.clock import SystemClock
from jupyter_wb_aws.errors import CatalogueUnavailable
from jupyter_wb_aws.hub.app import HubServiceApp
from jupyter_wb_aws.hub.catalogue import open_catalogue
from jupyter_wb_aws.hub.claims import ClaimSettings
from jupyter_wb_aws.hub.setting_checks import not_for_aws
from jupyter_wb_aws.hub.stack_set import as_stack_set
from jupyter_wb_aws.hub.terraform import as_terraform
from jupyter_wb_aws.hub.trust_policy import Trust, as_commands, as_json, as_new_roles, trust
from jupyter_wb_aws.roles.catalogue import Catalogue
from jupyter_wb_aws.roles.catalogue_file import describe_bad_entry

Printer = Callable[[Sequence[Trust], ClaimSettings], str]
FORMATS: dict[str, Printer] = {
    "commands": as_commands,
    "new-roles": as_new_roles,
    "json": as_json,
    "stack-set": as_stack_set,
}


class TrustPolicyApp(HubServiceApp):
    """Print the IAM identity providers and trust policies for every role of the roles file."""

    name = "jupyter-wb-aws-hub trust-policy"
    description = """
    Print the IAM identity providers and trust policies for every role of the roles file. What can't be printed is
    explained on standard error, and the command ends with 1.
    """
    subcommands = {}  # noqa: RUF012 - as traitlets has it
    examples = (
        "jupyter-wb-aws-hub trust-policy --config=/etc/jupyterhub/jupyter_wb_aws_hub_config.py\n"
        "jupyter-wb-aws-hub trust-policy --format=new-roles --config=…\n"
        "jupyter-wb-aws-hub trust-policy --format=stack-set --config=… > stack-set.json"
    )

    format = Enum(
        sorted(FORMATS),
        "commands",
        config=True,
        help="""`commands` of the AWS CLI for roles that exist, those for `new-roles`, one `json` document, or a `stack-set`: a CloudFormation template that makes
        the identity provider and the roles in all accounts of an organization.""",
    )
    aliases = {  # noqa: RUF012 - as traitlets has it
        "config": "HubServiceApp.config_file",
        "format": "TrustPolicyApp.format",
    }

    def start(self) -> None:
        """Print it.

        Raises:
            SystemExit: with 1 if something can't be printed.
        """
        self.print_by(FORMATS[self.format])

    def print_by(self, printer: Printer) -> None:
        """Print what a printer makes of the roles file.

        Raises:
            SystemExit: with 1 if there is no roles file, or something can't be printed.
        """
        self.require("issuer", "roles_file")
        settings = ClaimSettings(
            self.issuer, self.audience, self.subject_template, self.token_lifetime
        )
        # What the roles file's reader logs is printed below, once.
        logging.getLogger("jupyter_wb_aws").addHandler(logging.NullHandler())
        file = open_catalogue(Path(self.roles_file).expanduser(), SystemClock(), settings)
        try:
            catalogue = asyncio.run(file.current())
        except CatalogueUnavailable as unavailable:
            sys.exit(f"{unavailable.detail} {unavailable.admin_hint}")
        trusts = [trust(role, settings) for role in catalogue.roles()]
        printed = [each for each in trusts if each.problem is None]
        if any(each.store is None for each in printed) and (warning := not_for_aws(self.issuer)):
            print(warning, file=sys.stderr)  # noqa: T201 - beside what is to be run
        if printed:
            print(printer(trusts, settings))  # noqa: T201 - what the command is for
        if problems := problems_of(catalogue, trusts):
            sys.exit("\n".join(["", *problems]))


class TerraformApp(TrustPolicyApp):
    """Print the same as a Terraform configuration. It is not run: look at `terraform plan` first."""

    name = "jupyter-wb-aws-hub terraform"
    description = """
    Print IAM identity providers and roles as a Terraform configuration. It is not run: look at `terraform plan` first.
    """
    examples = "jupyter-wb-aws-hub terraform --config=/etc/jupyterhub/jupyter_wb_aws_hub_config.py > hub-roles.tf"
    aliases = {"config": "HubServiceApp.config_file"}  # noqa: RUF012 - as traitlets has it

    def start(self) -> None:
        """Print it.

        Raises:
            SystemExit: with 1 if something can't be printed.
        """
        self.print_by(as_terraform)


def problems_of(catalogue: Catalogue, trusts: Sequence[Trust]) -> list[str]:
    """Return what is not printed, and why, each as a line."""
    problems = [f"The roles file, {describe_bad_entry(bad)}." for bad in catalogue.problems]
    problems += [each.problem for each in trusts if each.problem]
    if catalogue.from_claim is not None:
        problems.append(
            "The roles file offers roles by `roles_from_claim`, which can't be listed. List those roles as [[roles]]"
            " without `allow`, to get their trust policies too."
        )
    return problems
