"""Compressed responses that nobody asked for: gateways send them."""

import gzip
import tracemalloc
import zlib

import brotli
import pytest

from jupyter_wb_aws.errors import IdpBadAnswer
from jupyter_wb_aws.identity.http.client import HttpSettings
from tests.identity.fetching import get_json
from tests.openid import say

FINE = b'{"fine": true}'


def raw_deflate(content):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


ENCODED = {
    "gzip": gzip.compress(FINE),
    "GZIP": gzip.compress(FINE),
    "x-gzip": gzip.compress(FINE),
    "deflate": zlib.compress(FINE),
    " deflate ": raw_deflate(FINE),
    "identity": FINE,
    "": FINE,
    "gzip, identity": gzip.compress(FINE),
    "gzip, deflate": zlib.compress(gzip.compress(FINE)),
    "deflate,gzip,gzip": gzip.compress(gzip.compress(zlib.compress(FINE))),
}


@pytest.mark.parametrize(("coding", "body"), ENCODED.items(), ids=ENCODED)
def test_a_compressed_answer_is_read(plain, coding, body):
    plain.answer = lambda handler: say(handler, body, Content_Encoding=coding)
    assert get_json(plain.url, HttpSettings()) == {"fine": True}
    assert plain.asked[0][1]["Accept-Encoding"] == "identity"


def bomb(layers):
    """A hundred megabytes of blanks, in a few bytes."""
    body = FINE + b" " * 100_000_000
    for _ in range(layers):
        body = gzip.compress(body, 9)
    return body


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_decompression_bomb_in_one_chunk_is_refused_without_using_memory(plain, layers):
    body = bomb(layers)
    plain.answer = lambda handler: say(handler, body, Content_Encoding=", ".join(["gzip"] * layers))
    tracemalloc.start()
    try:
        with pytest.raises(IdpBadAnswer, match="longer than"):
            get_json(plain.url, HttpSettings())
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "body",
    [b"", b"no gzip", ENCODED["gzip"][:-12], b"\x1f\x8b"],
    ids=["empty", "plain", "half", "begun"],
)
def test_a_broken_response_is_reported(plain, body):
    plain.answer = lambda handler: say(handler, body, Content_Encoding="gzip")
    with pytest.raises(IdpBadAnswer, match=r"can't be read|is not a JSON object"):
        get_json(plain.url, HttpSettings())


@pytest.mark.parametrize("coding", ["compress", "br, exi", "gzip, gzip, gzip, gzip"])
def test_an_encoding_that_is_not_supported_is_named(plain, coding):
    plain.answer = lambda handler: say(handler, FINE, Content_Encoding=coding)
    with pytest.raises(IdpBadAnswer, match="encoded"):
        get_json(plain.url, HttpSettings())


def test_brotli_is_read_where_it_is_installed(plain):
    plain.answer = lambda handler: say(handler, brotli.compress(FINE), Content_Encoding="br")
    assert get_json(plain.url, HttpSettings()) == {"fine": True}


def test_a_brotli_bomb_is_refused(plain):
    body = brotli.compress(FINE + b" " * 100_000_000, quality=1)
    plain.answer = lambda handler: say(handler, body, Content_Encoding="br")
    with pytest.raises(IdpBadAnswer, match="longer than"):
        get_json(plain.url, HttpSettings())
