"""Addresses of this machine, for which no proxy is used."""

import pytest

from jupyter_wb_aws.loopback import is_loopback


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8080/x", "https://localhost", "http://LOCALHOST:1", "http://[::1]:9", "http://127.8.9.1",
     "http://127.1/", "http://127.0.1:80", "http://2130706433", "http://0x7f.1", "http://0x7F000001", "http://0177.0.0.01",
     "http://0.0.0.0:1", "http://0", "http://0x0", "http://[::]", "http://[0:0:0:0:0:0:0:1]", "http://[::ffff:127.0.0.1]:1",
     "http://[::ffff:7f00:1]", "http://[::FFFF:0.0.0.0]", "http://[::1%25lo]", "http://[::1%lo]", "https://localhost./x",
     "http://localhost..", "http://127.0.0.1./", "http://idp.localhost", "http://a.b.LocalHost.:1", "http://u:p@127.1:1",
     "http://\uff11\uff12\uff17.0.0.1", "http://127\u30020\u30020\u30021", "http://\u24db\uff4fcalhost"],
)  # fmt: skip
def test_names_and_addresses_of_this_machine_are_recognized(url):
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url",
    ["https://sts.us-east-1.amazonaws.com", "http://localhost.evil.com", "http://10.0.0.1",
     "http://169.254.169.254", "http://127.0.0.1@evil.com", "", "localhost", "http://[::1", "http://",
     "http://127.1.evil.com", "http://mylocalhost", "http://localhost.com.", "http://128.1", "http://0x80.1", "http://1",
     "http://[::2]", "http://[::ffff:10.0.0.1]", "http://[2001:db8::7f00:1]", "http://127.0.0.1 evil", "http://127.0.0.256",
     "http://cafe", "http://.", "http://127.0.0.1.1.1", "http://4294967296", "http://face.fa",
     "http://\uff11\uff12\uff18.0.0.1"],
)  # fmt: skip
def test_other_names_and_addresses_are_not_this_machine(url):
    assert not is_loopback(url)
