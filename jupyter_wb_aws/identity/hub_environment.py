"""What JupyterHub says to a server by its environment: the server's own token, and where the hub's services are."""

from __future__ import annotations

from collections.abc import Mapping

API_TOKEN = "JUPYTERHUB_API_TOKEN"  # noqa: S105 - a variable's name
# What an administrator puts into `c.Spawner.environment`, where the hub's own variables don't lead to the service.
SERVICE_URL = "JUPYTER_WB_AWS_SERVICE_URL"


def service_urls(environment: Mapping[str, str], service_name: str) -> list[str]:
    """Return where a service of the hub may be, the most likely place first.

    The proxy has it at ``/services/NAME/`` below the hub's base URL. `JUPYTERHUB_PUBLIC_HUB_URL` is set where
    the hub knows its public URL (JupyterHub 5, `public_url`). `JUPYTERHUB_API_URL` leads to the proxy only
    where servers reach the hub through it.

    Args:
        environment: the server's, as the hub set it.
        service_name: as the hub's configuration names the service.
    """
    hubs = (
        _before(environment.get("JUPYTERHUB_PUBLIC_HUB_URL", ""), "hub/"),
        _before(environment.get("JUPYTERHUB_API_URL", ""), "hub/api/"),
    )
    return list(dict.fromkeys(f"{hub}services/{service_name}/" for hub in hubs if hub))


def with_slash(url: str) -> str:
    """Return a URL that others can be put behind."""
    return url.rstrip("/") + "/"


def _before(url: str, end: str) -> str:
    return with_slash(url).removesuffix(end) if with_slash(url).endswith(f"/{end}") else ""
