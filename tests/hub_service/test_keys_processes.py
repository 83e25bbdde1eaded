"""Several processes of the hub service that use the same folder of keys at the same time."""

import time

import pytest

from jupyter_wb_aws.clock import SystemClock
from tests.hub_service.key_processes import (
    DEADLINE,
    SPAWN,
    publish_until,
    rotate_forever,
    running,
    sign_until,
    start_together,
)
from tests.hub_service.signing_keys import open_keys, private_files, verify


@pytest.mark.parametrize(
    ("algorithms", "rounds"),
    [(["ES256"] * 4, 25), (["ES256", "RS256"] * 2, 3)],
    ids=["same", "mixed"],
)
def test_processes_that_start_at_once_on_an_empty_folder_sign_with_published_keys_only(
    tmp_path, algorithms, rounds
):
    folders = [tmp_path / f"{number}" for number in range(rounds)]
    barrier = SPAWN.Barrier(4)
    with running(start_together, 4, barrier, folders, algorithms) as queue:
        reports = [queue.get(timeout=DEADLINE) for _ in range(4 * len(folders))]

    for folder in folders:
        of_folder = [report[1:] for report in reports if report[0] == folder]
        assert len({kid for kid, *_ in of_folder}) == 1
        assert [problems for *_, problems in of_folder] == [[]] * 4
        for _, token, _, _ in of_folder:
            assert all(verify(token, published) for _, _, published, _ in of_folder)


def test_no_token_is_refused_while_keys_are_rotated_under_load(tmp_path):
    """Two processes sign and one publishes, without a pause, while another rotates four times."""
    folder, lead = tmp_path / "keys", 0.5
    settings = {"lifetime": 3, "lead": lead}
    stop = SPAWN.Event()
    rotating = open_keys(folder, SystemClock(), **settings)
    first = rotating.signing_key().kid
    with (
        running(sign_until, 2, stop, folder, settings) as signers,
        running(publish_until, 1, stop, folder, settings) as publisher,
    ):
        try:
            for queue in (signers, signers, publisher):
                assert queue.get(timeout=DEADLINE) == "ready"
            made = [rotate_and_wait(rotating) for _ in range(4)]
        finally:
            stop.set()
        signed = [signers.get(timeout=DEADLINE) for _ in range(2)]
        seen, published = publisher.get(timeout=DEADLINE)

    for tokens in signed:
        assert {first, made[-1]} < set(tokens) <= {first, *made}
        for kid, times in tokens.items():
            for signed_at, token in times:
                assert verify(token, published)
                # From before it was signed, for who keeps the keys for a while, until the end.
                for _, until, kids in seen:
                    if until >= signed_at - (lead / 2 if kid != first else 0):
                        assert kid in kids
    assert private_files(folder) == [f"{made[-1]}.json"]


def rotate_and_wait(keys):
    """Rotate, and look until the new key signs."""
    new, deadline = keys.rotate(), time.monotonic() + DEADLINE
    while keys.signing_key().kid != new.kid:
        assert time.monotonic() < deadline
    return new.kid


@pytest.mark.parametrize("lines", [1, 4, 9, 16])
def test_a_process_that_is_killed_while_it_rotates_leaves_keys_that_verify_all_its_tokens(
    tmp_path, lines
):
    folder, tokens = tmp_path / "keys", tmp_path / "tokens"
    tokens.touch()
    process = SPAWN.Process(target=rotate_forever, args=(folder, tokens))
    process.start()
    deadline = time.monotonic() + DEADLINE
    while len(tokens.read_text().splitlines()) < lines:
        assert time.monotonic() < deadline
    process.kill()
    process.join(DEADLINE)
    keys = open_keys(folder, SystemClock())

    assert keys.problems == []
    assert private_files(folder) == [f"{keys.signing_key().kid}.json"]
    assert all(verify(token, keys.public_keys()) for token in tokens.read_text().splitlines())
