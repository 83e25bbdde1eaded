"""Processes of the hub service, as the tests of its keys start them."""

import contextlib
import multiprocessing
import time

from jupyter_wb_aws.clock import SystemClock
from tests.hub_service.signing_keys import kids, open_keys, sign

SPAWN = multiprocessing.get_context("spawn")
DEADLINE = 60  # seconds


@contextlib.contextmanager
def running(target, count, *args):
    """Start `target(number, queue, *args)` in so many processes, and yield their queue."""
    queue = SPAWN.Queue()
    processes = [
        SPAWN.Process(target=target, args=(number, queue, *args)) for number in range(count)
    ]
    for process in processes:
        process.start()
    try:
        yield queue
    finally:
        for process in processes:
            process.join(DEADLINE)
            process.kill()  # nothing, where it has ended


def start_together(number, queue, barrier, folders, algorithms):
    """Open each of these folders at the same moment as the other processes; report what signs and is published."""
    for folder in folders:
        barrier.wait(DEADLINE)
        keys = open_keys(folder, SystemClock(), algorithms[number])
        key = keys.signing_key()
        queue.put((folder, key.kid, sign(key, sub="user:alice"), keys.public_keys(), keys.problems))


def sign_until(number, queue, stop, folder, settings):
    """Sign without a pause, and once more at the end; report the first and last token of each key, with their times."""
    keys = open_keys(folder, SystemClock(), **settings)
    signed, go_on = {}, True
    while go_on:
        go_on = not stop.is_set()
        key = keys.signing_key()
        token = (time.time(), sign(key, sub="user:alice"))
        signed.setdefault(key.kid, [token, token])[1] = token
        if len(signed) == 1 and signed[key.kid][0] is token:
            queue.put("ready")
    queue.put(signed)


def publish_until(number, queue, stop, folder, settings):
    """Read the published keys without a pause, as verifiers do; report what they were, from when to when."""
    keys = open_keys(folder, SystemClock(), **settings)
    seen = []
    queue.put("ready")
    while not stop.is_set():
        before = time.time()
        now = kids(keys)
        if not seen or seen[-1][2] != now:
            seen.append([before, before, now])
        seen[-1][1] = before
    queue.put((seen, keys.public_keys()))


def rotate_forever(folder, tokens):
    """Append a token to a file, and rotate, until it is killed."""
    keys = open_keys(folder, SystemClock(), lead=0)
    with open(tokens, "ab", buffering=0) as file:
        while True:
            file.write(sign(keys.signing_key(), sub="user:alice").encode() + b"\n")
            keys.rotate()
