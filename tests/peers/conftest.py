"""The peers, started once for all tests that can share them, and a server whose user signs in there."""

from __future__ import annotations

import asyncio
import os

import pytest

from jupyter_wb_aws.events import NAMES, schema_id
from tests.heard import Heard
from tests.peers.openid_provider import PUBLIC_CLIENT, OpenIdProvider
from tests.peers.relying_party import CALLBACK
from tests.peers.seaweedfs import SeaweedFs
from tests.peers.sign_in_pages import Browser
from tests.peers.site import configuration, roles_file

# As RFC 8252, 7.3, has it, the provider takes each with any port.
CALLBACKS = tuple(
    f"http://127.0.0.1{base_url}aws/sign-in/callback" for base_url in ("/", "/user/alice/")
)


@pytest.fixture(autouse=True)
def _no_ambient_aws(monkeypatch):
    """The developer's own AWS settings stay out."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def one_provider(tmp_path_factory):
    log = tmp_path_factory.mktemp("provider") / "log"
    with OpenIdProvider(
        log,
        redirect_uris=CALLBACKS,
        post_logout_redirect_uris=(CALLBACK,),
        application_type="native",
    ) as provider:
        yield provider


@pytest.fixture(scope="session")
def store(one_provider, tmp_path_factory):
    keys = one_provider.metadata()["jwks_uri"]
    folder = tmp_path_factory.mktemp("seaweedfs")
    with SeaweedFs(
        folder, issuer=one_provider.issuer, client_id=PUBLIC_CLIENT, jwks_uri=keys
    ) as store:
        yield store


@pytest.fixture
def provider(one_provider):
    """The provider that the store trusts, as if it were new: nobody is signed in."""
    one_provider.reset()
    return one_provider


@pytest.fixture
def new_browser():
    browsers = []

    def new_browser():
        browsers.append(Browser())
        return browsers[-1]

    yield new_browser
    for browser in browsers:
        browser.http.close()


# --- A server in this process ----------------------------------------------------------------


@pytest.fixture
def jp_base_url():
    return "/user/alice/"


@pytest.fixture
def site_config(provider, store, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    roles_path = tmp_path / "roles.toml"
    roles_path.write_text(roles_file(store.url))
    return configuration(provider, roles_path)


@pytest.fixture
def heard(jp_serverapp):
    """Wait for an event of the server's: `await heard("state-changed", state="expired")`."""
    kept = Heard()

    async def listen(logger, schema_id, data):
        kept.add(schema_id, data)

    for name in NAMES:
        jp_serverapp.event_logger.add_listener(schema_id=schema_id(name), listener=listen)

    async def heard(name, **data):
        return await asyncio.to_thread(kept.wait, name, **data)

    heard.forget = kept.forget
    return heard


@pytest.fixture
def new_kernel(api):
    async def new_kernel():
        return (await api("POST", "/api/kernels", {"name": "python3"}, known=False)).data["id"]

    return new_kernel


@pytest.fixture
def new_person(api, heard, jp_serverapp, jp_http_port, jp_base_url, new_browser):
    """People, each with a browser that is signed in to Jupyter."""
    url = f"http://127.0.0.1:{jp_http_port}{jp_base_url}"
    token = jp_serverapp.identity_provider.token

    def new_person(user, browser=None):
        return Person(user, browser or new_browser(), (url, token), api, heard)

    return new_person


class Person:
    """Somebody who uses the server of this process, and the provider's pages."""

    def __init__(self, user, browser, jupyter, api, heard):
        self.user = user
        self.browser = browser
        self._jupyter, self._api, self._heard = jupyter, api, heard

    async def come_back(self):
        """Sign in by code; return the page on which that ends."""
        return await asyncio.to_thread(self.browser.sign_in_at_server, *self._jupyter, self.user)

    async def sign_in(self):
        page = await self.come_back()
        assert page.status_code == 200, page.text
        return page

    async def cancel(self):
        return await asyncio.to_thread(self.browser.cancel_at_server, *self._jupyter)

    async def sign_in_by_device(self):
        self._heard.forget()
        begun = (await self._api("POST", "/aws/sign-in", {"flow": "device"})).data
        await asyncio.to_thread(
            self.browser.approve_device, begun["verification_uri_complete"], self.user
        )
        await self._heard("sign-in-changed", state="signed_in")
