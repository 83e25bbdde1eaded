"""The life of the hub service's signing keys: which one signs, which are published, and for how long."""

import base64
import hashlib
import json
import os
import stat
from datetime import timedelta

import hypothesis
import pytest
from hypothesis import strategies as st

from jupyter_wb_aws.hub.errors import KeysUnavailable, RotationRefused, UnknownKey
from jupyter_wb_aws.hub.keys import SigningKeys
from tests.conftest import FakeClock
from tests.hub_service.signing_keys import (
    LEAD,
    LEEWAY,
    LIFETIME,
    codes,
    kids,
    open_keys,
    private_files,
    sign,
    snapshot,
    verify,
    verify_with_joserfc,
    write_replaced_key,
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "keys"


@pytest.fixture
def wide_umask():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_token_is_verified_by_two_libraries(folder, clock, algorithm):
    keys = open_keys(folder, clock, algorithm)
    key = keys.signing_key()
    token = sign(key, sub="user:alice")

    assert key.algorithm == algorithm
    assert keys.algorithms() == [algorithm]
    assert verify(token, keys.public_keys()) == {"sub": "user:alice"}
    assert verify_with_joserfc(token, keys.public_keys()) == {"sub": "user:alice"}


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_key_is_published_without_its_private_half_and_named_by_its_thumbprint(
    folder, clock, algorithm
):
    (jwk,) = open_keys(folder, clock, algorithm).public_keys()["keys"]
    required = {"ES256": {"crv", "kty", "x", "y"}, "RS256": {"e", "kty", "n"}}[algorithm]
    canonical = json.dumps(
        {name: jwk[name] for name in required}, sort_keys=True, separators=(",", ":")
    )
    digest = hashlib.sha256(canonical.encode()).digest()

    assert set(jwk) == required | {"kid", "use", "alg"}
    assert (jwk["use"], jwk["alg"]) == ("sig", algorithm)
    assert jwk["kid"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_the_folder_and_its_files_are_private_whatever_the_umask(folder, clock, wide_umask):
    keys = open_keys(folder, clock)
    keys.rotate()

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_restart_goes_on_with_the_same_key(folder, clock):
    first = open_keys(folder, clock)
    again = open_keys(folder, clock)

    assert again.signing_key().kid == first.signing_key().kid
    assert again.public_keys() == first.public_keys()


def test_no_private_key_is_shown(folder, clock):
    keys = open_keys(folder, clock)
    key = keys.signing_key()

    assert repr(key) == f"SigningKey(kid={key.kid!r}, algorithm='ES256')"
    assert "private" not in repr(vars(keys))


def test_a_new_key_is_published_before_it_signs(folder, clock):
    keys = open_keys(folder, clock)
    old = keys.signing_key().kid
    new = keys.rotate()

    assert new.signs_from == clock.now() + timedelta(seconds=LEAD)
    assert kids(keys) == [old, new.kid]
    clock.advance(LEAD - 1)
    assert keys.signing_key().kid == old
    clock.advance(1)
    assert keys.signing_key().kid == new.kid


def test_a_replaced_key_keeps_its_public_half_until_its_last_token_has_expired(folder, clock):
    keys = open_keys(folder, clock)
    old = keys.signing_key()
    new = keys.rotate()
    clock.advance(LEAD)
    token = sign(old, sub="user:alice")
    keys.signing_key()

    assert private_files(folder) == [f"{new.kid}.json"]
    clock.advance(LIFETIME + LEEWAY + LEAD - 1)
    assert verify(token, keys.public_keys())
    clock.advance(1)
    assert kids(keys) == [new.kid]


def test_a_file_that_is_no_longer_needed_is_removed_at_the_next_rotation(folder, clock):
    keys = open_keys(folder, clock)
    old = keys.signing_key().kid
    keys.rotate()
    clock.advance(LEAD)
    keys.signing_key()
    clock.advance(LIFETIME + LEEWAY + LEAD)
    keys.rotate()

    assert not (folder / f"{old}.json").exists()
    assert len(list(folder.glob("*.json"))) == 2


def test_the_longest_lifetime_ever_used_decides_although_it_was_shortened(folder, clock):
    long = open_keys(folder, clock, lifetime=12 * 3600)
    old = sign(long.signing_key(), sub="user:alice")
    keys = open_keys(folder, clock, lifetime=900)
    keys.rotate()
    clock.advance(LEAD)
    keys.signing_key()
    clock.advance(12 * 3600)

    assert verify(old, keys.public_keys())


def test_a_rotation_while_a_key_waits_is_the_same_rotation(folder, clock):
    keys = open_keys(folder, clock)
    first = keys.rotate()
    clock.advance(60)
    second = open_keys(folder, clock).rotate()

    assert (second.kid, second.signs_from) == (first.kid, first.signs_from)
    assert (first.was_made, second.was_made) == (True, False)
    assert len(kids(keys)) == 2


def test_without_a_lead_the_new_key_signs_at_once(folder, clock):
    keys = open_keys(folder, clock, lead=0)
    new = keys.rotate()

    assert keys.signing_key().kid == new.kid
    assert private_files(folder) == [f"{new.kid}.json"]
    assert len(kids(keys)) == 2


def test_other_processes_see_a_rotation_at_their_next_call(folder, clock):
    one, two = open_keys(folder, clock), open_keys(folder, clock)
    one.rotate()

    assert two.public_keys() == one.public_keys()
    clock.advance(LEAD)
    assert two.signing_key().kid == one.signing_key().kid
    assert two.public_keys() == one.public_keys()


def test_the_published_keys_are_the_same_in_every_process_and_order(folder, clock):
    keys = open_keys(folder, clock)
    for _ in range(5):
        keys.rotate()
        clock.advance(LEAD)
        keys.signing_key()
    other = open_keys(folder, clock, lifetime=60, lead=5)

    assert json.dumps(keys.public_keys()) == json.dumps(other.public_keys())


def test_a_key_made_at_the_very_same_time_as_another_succeeds_it(folder, clock):
    keys = open_keys(folder, clock, lead=0)
    made = [keys.signing_key().kid, *(keys.rotate().kid for _ in range(5))]

    assert kids(keys) == made
    assert keys.signing_key().kid == made[-1]


# --- A compromised key ----------------------------------------------------------------------------------


def test_a_compromised_key_is_gone_at_once_and_a_new_one_signs(folder, clock):
    keys = open_keys(folder, clock)
    stolen = keys.signing_key().kid
    new = keys.rotate(stolen)

    assert new.signs_from == clock.now()
    assert keys.signing_key().kid == new.kid
    assert kids(keys) == [new.kid]
    assert not [name for name, content in snapshot(folder).items() if stolen in name + str(content)]


def test_the_key_that_waited_beside_a_compromised_one_never_signs(folder, clock):
    keys = open_keys(folder, clock)
    stolen, waiting = keys.signing_key().kid, keys.rotate().kid
    new = keys.rotate(stolen)
    clock.advance(LEAD)

    assert new.withdrawn == (stolen, waiting)
    assert waiting not in kids(keys)
    assert keys.signing_key().kid == new.kid
    assert private_files(folder) == [f"{new.kid}.json"]


def test_a_replaced_key_that_was_stolen_is_withdrawn_and_the_current_one_goes_on(folder, clock):
    keys = open_keys(folder, clock, lead=0)
    stolen = keys.signing_key().kid
    current = keys.rotate()

    rotated = keys.rotate(stolen)
    assert (rotated.kid, rotated.signs_from) == (current.kid, current.signs_from)
    assert (rotated.was_made, rotated.withdrawn) == (False, (stolen,))
    assert kids(keys) == [current.kid]


@pytest.mark.parametrize(
    "unknown",
    ["nothing", "", "../other", "*", "\0", "longest-token-lifetime", "notes", "x" * 10_000],
)
def test_an_unknown_key_is_named_with_those_that_exist(folder, clock, unknown):
    keys = open_keys(folder, clock)
    (folder / "notes.json").write_text("somebody's")
    before = snapshot(folder)

    with pytest.raises(UnknownKey) as refused:
        keys.rotate(unknown)
    assert len(refused.value.detail) < 200
    assert keys.signing_key().kid in refused.value.detail
    assert snapshot(folder) == before


def test_a_key_that_everybody_can_read_is_withdrawn_by_its_name(folder, clock):
    keys = open_keys(folder, clock)
    kid = keys.signing_key().kid
    (folder / f"{kid}.json").chmod(0o644)

    with pytest.raises(KeysUnavailable):
        keys.signing_key()
    new = keys.rotate(kid)
    assert keys.signing_key().kid == new.kid
    assert keys.problems == []


# --- Another algorithm ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new"), [("RS256", "ES256"), ("ES256", "RS256")])
def test_another_algorithm_takes_over_once_its_key_has_been_published(folder, clock, old, new):
    before = open_keys(folder, clock, old).signing_key()
    keys = open_keys(folder, clock, new)

    assert keys.signing_key().kid == before.kid
    assert keys.algorithms() == sorted([old, new])
    clock.advance(LEAD)
    assert keys.signing_key().algorithm == new
    assert verify(sign(before, sub="user:alice"), keys.public_keys())
    clock.advance(LIFETIME + LEEWAY + LEAD)
    assert keys.algorithms() == [new]


def test_processes_with_different_algorithms_do_not_rotate_in_turn(folder, clock):
    """As during an update, where some processes still have the old settings."""
    old, new = open_keys(folder, clock, "RS256"), open_keys(folder, clock, "ES256")
    for _ in range(10):
        clock.advance(LEAD)
        assert old.signing_key().kid == new.signing_key().kid
    assert len(list(folder.glob("*.json"))) == 2


# --- The clock -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [-365, -1, 1, 365])
def test_a_clock_that_is_set_does_not_stop_the_signing(folder, clock, days):
    keys = open_keys(folder, clock)
    old = keys.signing_key()
    clock.advance(days * 86400)

    assert keys.signing_key().kid == old.kid
    keys.rotate()
    clock.advance(LEAD)
    new = keys.signing_key()
    assert new.kid != old.kid
    assert verify(sign(new, sub="user:alice"), open_keys(folder, clock).public_keys())


def test_a_replaced_key_never_signs_again_although_the_clock_was_set_back_before(folder, clock):
    keys = open_keys(folder, clock)
    clock.advance(-86400)
    new = keys.rotate()
    clock.advance(LEAD)
    keys.signing_key()
    clock.advance(2 * 86400)

    assert keys.signing_key().kid == new.kid


def test_a_clock_set_forward_for_a_moment_removes_no_key_that_is_needed(folder, clock):
    keys = open_keys(folder, clock)
    token = sign(keys.signing_key(), sub="user:alice")
    keys.rotate()
    clock.advance(LEAD)
    keys.signing_key()
    clock.advance(365 * 86400)
    keys.public_keys()
    open_keys(folder, clock)
    clock.advance(-365 * 86400)

    assert verify(token, keys.public_keys())


def test_a_key_that_was_to_sign_in_a_year_by_a_wrong_clock_signs_after_the_next_rotation(
    folder, clock
):
    keys = open_keys(folder, clock)
    clock.advance(365 * 86400)
    waiting = keys.rotate()
    clock.advance(-365 * 86400)
    assert keys.signing_key().kid != waiting.kid

    assert keys.rotate().signs_from == clock.now() + timedelta(seconds=LEAD)
    clock.advance(LEAD)
    assert keys.signing_key().kid == waiting.kid


# --- Limits ----------------------------------------------------------------------------------------------


def test_no_more_keys_are_published_than_aws_reads(folder, clock):
    keys = open_keys(folder, clock)
    replaced = [write_replaced_key(folder, clock, LIFETIME) for _ in range(99)]
    before = snapshot(folder)

    assert set(kids(keys)) == {*replaced, keys.signing_key().kid}
    with pytest.raises(RotationRefused, match="100 keys") as refused:
        keys.rotate()
    assert "2026-11-24T13:00:00Z" in refused.value.hint
    assert snapshot(folder) == before
    new = keys.rotate(keys.signing_key().kid)  # a stolen key can't wait
    assert len(kids(keys)) == 100
    assert keys.signing_key().kid == new.kid
    clock.advance(LIFETIME)
    assert kids(keys) == [new.kid]
    keys.rotate()


def test_of_more_keys_than_aws_reads_the_newest_are_published(folder, clock):
    keys = open_keys(folder, clock)
    oldest = [write_replaced_key(folder, clock, LIFETIME) for _ in range(100)]
    clock.advance(1)
    new = keys.rotate(keys.signing_key().kid)

    assert len(kids(keys)) == 100
    assert kids(keys)[-1] == new.kid
    assert len(set(oldest) - set(kids(keys))) == 1


# --- Every order of events -----------------------------------------------------------------------------

EVENTS = st.one_of(
    st.tuples(st.just("advance"), st.integers(1, 3 * LIFETIME)),
    st.sampled_from([("rotate", 0), ("rotate", 1), ("restart", 0), ("restart", 1)]),
    st.tuples(st.just("algorithm"), st.sampled_from(["ES256"])),
    st.tuples(st.just("sign"), st.integers(0, 1)),
)


@hypothesis.given(st.lists(EVENTS, max_size=25))
@hypothesis.settings(max_examples=40)
def test_every_token_is_verified_for_its_whole_life_whatever_happens_in_between(
    tmp_path_factory, events
):
    """Two processes; what verifiers read at most `LEAD` ago still has the key of each new token."""
    folder, clock = tmp_path_factory.mktemp("keys") / "keys", FakeClock()
    processes = [open_keys(folder, clock), open_keys(folder, clock)]
    published = [(clock.now(), set(kids(processes[0])))]
    tokens = []
    for event, value in events:
        if event == "advance":
            clock.advance(value)
        elif event == "rotate":
            processes[value].rotate()
        elif event == "restart":
            processes[value] = open_keys(folder, clock)
        elif event == "algorithm":
            processes[0] = open_keys(folder, clock, value)
        else:
            key = processes[value].signing_key()
            tokens.append((clock.now(), sign(key, sub="user:alice")))
            seen = [keys for time, keys in published if (clock.now() - time).total_seconds() < LEAD]
            # Before any verifier can have read the keys, only the first of them signs.
            assert all(key.kid in keys for keys in seen)
        sets = [process.public_keys() for process in processes]
        assert sets[0] == sets[1]
        published.append((clock.now(), set(kids(processes[0]))))
        for signed_at, token in tokens:
            if (clock.now() - signed_at).total_seconds() <= LIFETIME + LEEWAY:
                assert verify(token, sets[0])
        assert len(private_files(folder)) <= 2


def test_keys_that_were_not_opened_open_themselves(folder, clock):
    keys = SigningKeys(folder, "ES256", LIFETIME, LEAD, clock)

    assert keys.signing_key().kid in kids(keys)
    assert codes(keys) == []
