"""Token source `file`: a token file that another program refreshes."""

import os
import socket

import pytest

from jupyter_wb_aws.errors import TokenInvalid, TokenSourceFailed
from jupyter_wb_aws.identity.file_source import FileTokenSource
from jupyter_wb_aws.identity.source import TokenRequest
from tests.conftest import NOON, make_jwt

TOKEN, NEXT = make_jwt(), make_jwt(jti="2")


def source_of(path, clock):
    source = FileTokenSource(path=str(path))
    source.clock = clock
    return source


@pytest.fixture
def file(tmp_path):
    return tmp_path / "token"


@pytest.mark.parametrize("end", ["", "\n", "\r\n", " \n\n"])
async def test_the_token_is_read_with_or_without_a_newline(file, clock, end):
    file.write_text(TOKEN + end)
    token = await source_of(file, clock).fetch(TokenRequest())
    assert token.reveal() == TOKEN
    assert token.received_at == NOON


async def test_a_byte_order_mark_is_not_part_of_the_token(file, clock):
    file.write_text(TOKEN, encoding="utf-8-sig")
    assert (await source_of(file, clock).fetch(TokenRequest())).reveal() == TOKEN


async def test_a_replaced_file_is_followed(file, clock):
    source = source_of(file, clock)
    file.write_text(TOKEN)
    await source.fetch(TokenRequest())
    new = file.with_name("new")
    new.write_text(NEXT)
    new.rename(file)
    assert (await source.fetch(TokenRequest())).reveal() == NEXT


async def test_kubernetes_swap_of_the_data_link_is_followed(tmp_path, clock):
    for name, text in (("..2026_1", TOKEN), ("..2026_2", NEXT)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(text)
    (tmp_path / "..data").symlink_to("..2026_1")
    (tmp_path / "token").symlink_to("..data/token")
    source = source_of(tmp_path / "token", clock)
    before = await source.fetch(TokenRequest())
    (tmp_path / "..data_tmp").symlink_to("..2026_2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    after = await source.fetch(TokenRequest())
    assert (before.reveal(), after.reveal()) == (TOKEN, NEXT)


async def test_for_a_token_that_is_too_long_for_aws_the_largest_claim_is_named(file, clock):
    token = make_jwt(groups=["team"] * 3000)
    file.write_text(token)
    with pytest.raises(TokenInvalid, match=f"{len(token)} characters") as refused:
        await source_of(file, clock).fetch(TokenRequest())
    assert "`groups`" in refused.value.admin_hint


async def test_a_missing_file_is_named(file, clock):
    with pytest.raises(TokenSourceFailed, match=f"{file}.*No such file") as failed:
        await source_of(file, clock).fetch(TokenRequest())
    assert "FileTokenSource.path" in failed.value.admin_hint


async def test_a_dangling_link_is_a_missing_file(file, clock):
    file.symlink_to("nowhere")
    with pytest.raises(TokenSourceFailed, match="No such file"):
        await source_of(file, clock).fetch(TokenRequest())


@pytest.mark.parametrize("content", ["", "\n", "   "])
async def test_an_empty_file_is_reported(file, clock, content):
    file.write_text(content)
    with pytest.raises(TokenSourceFailed, match="is empty"):
        await source_of(file, clock).fetch(TokenRequest())


async def test_half_a_token_is_refused(file, clock):
    file.write_text(TOKEN[: len(TOKEN) // 3])
    with pytest.raises(TokenInvalid):
        await source_of(file, clock).fetch(TokenRequest())


async def test_a_huge_file_is_refused_without_reading_it_all(file, clock):
    with file.open("wb") as stream:
        stream.write(b"x")
        stream.truncate(1 << 40)  # a tebibyte, sparse
    with pytest.raises(TokenInvalid):
        await source_of(file, clock).fetch(TokenRequest())


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x00" * 50, "tökén".encode()])
async def test_binary_rubbish_is_refused(file, clock, content):
    file.write_bytes(content)
    with pytest.raises(TokenInvalid):
        await source_of(file, clock).fetch(TokenRequest())


async def test_a_fifo_in_the_tokens_place_does_not_hang(file, clock):
    os.mkfifo(file)
    with pytest.raises(TokenSourceFailed, match="not a regular file"):
        await source_of(file, clock).fetch(TokenRequest())


async def test_a_device_is_not_read(clock):
    with pytest.raises(TokenSourceFailed, match="not a regular file"):
        await source_of("/dev/zero", clock).fetch(TokenRequest())


async def test_a_socket_is_refused(tmp_path, monkeypatch, clock):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("token")
        with pytest.raises(TokenSourceFailed, match="can't be read"):
            await source_of("token", clock).fetch(TokenRequest())


async def test_a_folder_in_the_files_place_is_refused_and_costs_no_descriptor(tmp_path, clock):
    source = source_of(tmp_path, clock)
    with pytest.raises(TokenSourceFailed, match=r"not a regular file|can't be read"):
        await source.fetch(TokenRequest())
    open_before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        with pytest.raises(TokenSourceFailed):
            await source.fetch(TokenRequest())
    assert len(os.listdir("/proc/self/fd")) <= open_before


@pytest.mark.parametrize("path", ["~no-such-user/token", "a\0b"])
async def test_an_impossible_path_is_a_failure_of_the_source(path, clock):
    with pytest.raises(TokenSourceFailed, match="can't be read"):
        await source_of(path, clock).fetch(TokenRequest())


async def test_a_home_folder_is_found(tmp_path, monkeypatch, clock):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "token").write_text(TOKEN)
    assert (await source_of("~/token", clock).fetch(TokenRequest())).reveal() == TOKEN


async def test_without_a_path_the_servers_own_token_file_is_followed(file, monkeypatch, clock):
    file.write_text(TOKEN)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
    source = source_of("", clock)
    assert source.missing_setting() is None
    assert (await source.fetch(TokenRequest())).reveal() == TOKEN


async def test_the_servers_own_token_file_is_that_of_its_start(file, monkeypatch, clock):
    file.write_text(TOKEN)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
    source = source_of("", clock)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/changed/by/another/extension")
    assert (await source.fetch(TokenRequest())).reveal() == TOKEN
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE")
    assert source.missing_setting() is None


def test_without_any_path_the_setting_is_named(monkeypatch):
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE", raising=False)
    assert FileTokenSource().missing_setting() == "FileTokenSource.path"
