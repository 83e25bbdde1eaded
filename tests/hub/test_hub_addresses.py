"""The hub service on hubs with other addresses: a subdomain for each service, TLS between the parts of the hub."""

from __future__ import annotations

import contextlib

import pytest

from tests.hub.hub_site import ANALYST, HubSite
from tests.hub.running_hub import until

pytestmark = [pytest.mark.long, pytest.mark.hub5]


def start(start_hub, stack, config):
    """Start a hub with the service and more configuration, a function of the hub; return the site."""
    site = HubSite(stack)
    options = site.options
    options["config"] = lambda hub: site.options["config"](hub) + config(hub)
    site.hub = start_hub(**options, own_uids=False)
    until(
        lambda: site.log_path.exists() and " answers at port" in site.log_path.read_text(),
        "no service",
    )
    return site


def with_subdomains(hub):
    return f"c.JupyterHub.subdomain_host = 'http://hub.test:{hub.port}'"


def with_internal_ssl(hub):
    _, hub_port, proxy_port = hub.ports
    return f"""
c.JupyterHub.internal_ssl = True
c.JupyterHub.internal_certs_location = {str(hub.folder / "hub/certificates")!r}
c.JupyterHub.hub_bind_url = "https://127.0.0.1:{hub_port}"
c.ConfigurableHTTPProxy.api_url = "https://127.0.0.1:{proxy_port}"
c.JupyterHub.trusted_alt_names = ["DNS:localhost", "IP:127.0.0.1"]
"""


@pytest.fixture
def stack():
    with contextlib.ExitStack() as stack:
        yield stack


def test_with_subdomains_the_public_files_are_at_the_services_own_host_alone(start_hub, stack):
    hub = start(start_hub, stack, with_subdomains).hub

    def keys_at(host):
        return hub.fetch("GET", "services/aws/keys", headers={"Host": f"{host}:{hub.port}"})

    until(lambda: keys_at("aws--service.hub.test").status_code == 200, "the service is not there")
    assert keys_at("aws--service.hub.test").json()["keys"]
    assert keys_at("hub.test").status_code != 200


def test_a_server_starts_a_role_where_the_parts_of_the_hub_use_tls(start_hub, stack):
    site = start(start_hub, stack, with_internal_ssl)
    alice = site.hub.start_server("alice")

    assert alice.environment["JUPYTERHUB_API_URL"].startswith("https://")
    assert alice.start(ANALYST)["state"] == "active"
    assert site.ask("GET", "health", None).json() == {"status": "ok", "problems": []}
