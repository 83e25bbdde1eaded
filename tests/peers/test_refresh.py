"""How a sign-in at a provider that others wrote goes on, is lost, and comes back; tokens live for seconds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import jwt
import pytest

from tests.peers.seaweedfs import ANALYST, FINANCE
from tests.peers.site import CONTENT, READ

SECONDS = 4


@pytest.fixture
def provider(provider):
    provider.set_token_lifetime(SECONDS)
    return provider


def claims_in(session):
    return jwt.decode(
        Path(session["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"]).read_text(),
        options={"verify_signature": False},
    )


async def test_it_goes_on_by_itself_over_restarts_and_new_keys(
    api, run, heard, provider, new_person, new_kernel
):
    await new_person("alice").sign_in()
    session = await api.start(ANALYST)
    kernel = await new_kernel()
    read = [await run(kernel, READ)]
    expires = [claims_in(session)["exp"]]

    for change in (lambda: None, provider.restart, lambda: provider.restart(new_signing_key=True)):
        await asyncio.to_thread(change)
        heard.forget()
        await heard("token-refreshed", session_id=session["id"])
        expires.append(claims_in(session)["exp"])
        read.append(await run(kernel, READ))

    assert read == [CONTENT] * 4
    assert sorted(set(expires)) == expires
    # The provider ends a sign-in whose refresh token it sees twice: each was used once.
    given = [issued.kind for issued in provider.issued()]
    assert given.count("refresh_token") >= 4
    assert (await api("GET", "/aws/sign-in")).data["state"] == "signed_in"


@pytest.mark.long  # test_refresher.py shows the same with a clock that it moves
async def test_a_provider_that_is_away_is_waited_for(
    api, run, heard, provider, new_person, new_kernel
):
    await new_person("alice").sign_in()
    session = await api.start(ANALYST)
    kernel = await new_kernel()

    await asyncio.to_thread(provider.stop)
    await heard("state-changed", session_id=session["id"], state="degraded")
    await heard("state-changed", session_id=session["id"], state="expired")
    degraded = (await api("GET", f"/aws/sessions/{session['id']}")).data
    await asyncio.to_thread(provider.start)
    await heard("state-changed", session_id=session["id"], state="active")

    assert degraded["problem"]["code"] == "identity_provider_unavailable"
    assert await run(kernel, READ) == CONTENT


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(
            lambda provider: provider.restart(keep_state=False),
            id="the provider lost its state",
            marks=pytest.mark.long,
        ),
        pytest.param(lambda provider: provider.revoke("alice"), id="an administrator revoked it"),
    ],
)
async def test_signing_in_again_brings_everything_back(
    api, run, heard, provider, new_person, new_kernel, end
):
    alice = new_person("alice")
    await alice.sign_in()
    session = await api.start(ANALYST)
    kernel = await new_kernel()

    await asyncio.to_thread(end, provider)
    await heard("sign-in-changed", state="signed_out")
    await heard("state-changed", session_id=session["id"], state="sign_in_required")
    await alice.sign_in()

    (back,) = (await api("GET", "/aws/sessions")).data["sessions"]
    assert (back["id"], back["state"], back["default"]) == (session["id"], "active", True)
    assert back["environment"] == session["environment"]
    assert await run(kernel, READ) == CONTENT


async def test_somebody_else_who_signs_in_never_gets_the_formers_roles(
    api, run, heard, new_person, new_kernel
):
    await new_person("alice").sign_in()
    alices = await api.start(ANALYST)
    kernel = await new_kernel()

    await new_person("bob").sign_in()

    over = (await api("GET", f"/aws/sessions/{alices['id']}")).data
    assert (over["state"], over["end_reason"]) == ("ended", "identity_changed")
    ended = await heard("session-ended", session_id=alices["id"])
    assert ended["reason"] == "identity_changed"
    assert [role["arn"] for role in (await api("GET", "/aws/roles")).data["roles"]] == [FINANCE]
    assert not Path(alices["environment"]["AWS_WEB_IDENTITY_TOKEN_FILE"]).exists()
    assert "FileNotFoundError" in await run(kernel, READ)


async def test_a_role_of_a_lost_group_ends_at_the_next_refresh(api, heard, provider, new_person):
    await new_person("alice").sign_in()
    session = await api.start(ANALYST)

    await asyncio.to_thread(provider.set_groups, "alice", ["finance"])
    ended = await heard("session-ended", session_id=session["id"])

    assert ended["reason"] == "role_withdrawn"
    assert [role["arn"] for role in (await api("GET", "/aws/roles")).data["roles"]] == [FINANCE]
