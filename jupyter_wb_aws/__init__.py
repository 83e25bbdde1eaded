"""Short-lived AWS credentials for the kernels and terminals of a Jupyter Server."""

from __future__ import annotations

__version__ = "0.1.0"


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    """Tell Jupyter Server what to load.

    Source: jupyter_server, "Server Extensions", which calls this function by name.
    """
    # Imported here so that the command line, which needs no server, stays quick to start.
    from jupyter_wb_aws.app import WbAwsApp

    return [{"module": "jupyter_wb_aws.app", "app": WbAwsApp}]
