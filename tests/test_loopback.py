"""Addresses of this very machine, to which no proxy leads."""

import pytest

from jupyter_wb_aws.loopback import is_loopback


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8080/x", "https://localhost", "http://LOCALHOST:1", "http://[::1]:9", "http://127.8.9.1"],
)  # fmt: skip
def test_this_machine_is_known_by_its_names(url):
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url",
    ["https://sts.us-east-1.amazonaws.com", "http://localhost.evil.com", "http://10.0.0.1",
     "http://169.254.169.254", "http://127.0.0.1@evil.com", "", "localhost", "http://[::1", "http://"],
)  # fmt: skip
def test_others_are_not(url):
    assert not is_loopback(url)
