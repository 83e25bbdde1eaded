"""``jupyter wb-aws settings``: every setting of the extension, with its documentation.

``jupyter lab --help-all`` lists JupyterLab's own classes only, not those of an extension.
"""

from __future__ import annotations

import argparse
import importlib

from jupyter_wb_aws.cli.errors import ExitCode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: none."""
    parser.epilog = "Write them into jupyter_server_config.py or .json, or on the command line of `jupyter lab`."


def run(args: argparse.Namespace) -> int:  # noqa: ARG001 - every command has this form
    """Print the settings."""
    # By name: the application is a layer above the command line, and takes half a second to import.
    app = importlib.import_module("jupyter_wb_aws.app")
    for configurable in app.configurable_classes():
        print(configurable.class_get_help())
        print()
    return ExitCode.OK
