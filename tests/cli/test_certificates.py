"""A Jupyter server with a certificate of its own: one instruction, and then it works."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cli.contract_server import State, role, served

DAY = timedelta(days=1)
INSTRUCTION = "Set SSL_CERT_FILE to the server's own certificate file"


def pem(key, *certificates) -> bytes:
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def issued(
    name, *, names=None, by=None, begins=-DAY, ends=30 * DAY, authority=None, common_name=True
):
    """Make a certificate: self-signed, or by `by`, a key and a certificate. Return its key, too."""
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if common_name else []
    subject = x509.Name(attributes)
    issuer_key, issuer = by or (key, None)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if authority is not None:
        constraint = x509.BasicConstraints(ca=authority, path_length=None)
        builder = builder.add_extension(constraint, critical=True)
    return key, builder.sign(issuer_key, hashes.SHA256())


LOOPBACK = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]


def without_names():
    """As `openssl req -x509 -subj /CN=myhost` makes it without a configuration."""
    return pem(*issued("myhost"))


def without_any_name():
    return pem(*issued("", common_name=False))


def for_another_name():
    return pem(*issued("alice", names=[x509.DNSName("jupyter.example.com")]))


def expired():
    return pem(*issued("127.0.0.1", names=LOOPBACK, begins=-3 * DAY, ends=-DAY))


def not_yet_valid():
    """Its machine's clock was ahead."""
    return pem(*issued("127.0.0.1", names=LOOPBACK, begins=DAY))


def by_a_private_authority():
    authority = issued("Our CA", authority=True)
    key, leaf = issued("127.0.0.1", names=LOOPBACK, by=authority, authority=False)
    return pem(key, leaf, authority[1])


def by_an_authority_that_is_not_in_the_file():
    """As mkcert does it."""
    authority = issued("mkcert alice", authority=True)
    return pem(*issued("127.0.0.1", names=LOOPBACK, by=authority, authority=False))


def authority_itself():
    return pem(*issued("127.0.0.1", authority=True))


@pytest.fixture
def serve(runtime, tmp_path):
    """Serve with the certificate and key of a file, as `--certfile` does; return the file."""
    running = []

    def serve_it(content: bytes) -> Path:
        file = tmp_path / "server.pem"
        file.write_bytes(content)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        serving = served(State(roles=[role("analyst")]))
        server = serving.__enter__()
        running.append(serving)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        runtime.add(f"https://127.0.0.1:{server.server_port}/user/alice/", secure=True)
        return file

    yield serve_it
    for serving in running:
        serving.__exit__(None, None, None)


@pytest.mark.parametrize(
    "content",
    [
        without_names,
        without_any_name,
        for_another_name,
        expired,
        not_yet_valid,
        by_a_private_authority,
        by_an_authority_that_is_not_in_the_file,
        authority_itself,
    ],
)
def test_who_follows_the_instruction_is_let_in(serve, run, monkeypatch, content):
    certfile = serve(content())

    refused = run("roles")
    assert refused.code == 1
    assert INSTRUCTION in refused.err

    monkeypatch.setenv("SSL_CERT_FILE", str(certfile))
    followed = run("roles")
    assert (followed.code, followed.err) == (0, "")


def test_the_file_may_have_the_certificate_alone(serve, run, monkeypatch):
    certfile = serve(without_names())
    certificate = certfile.read_text().partition("-----BEGIN CERTIFICATE-----")[2]
    alone = certfile.with_name("certificate.pem")
    alone.write_text(f"-----BEGIN CERTIFICATE-----{certificate}")
    monkeypatch.setenv("SSL_CERT_FILE", str(alone))
    assert run("roles").code == 0


def test_the_file_of_the_authority_is_as_good(serve, run, monkeypatch, tmp_path):
    authority = issued("Our CA", authority=True)
    serve(pem(*issued("127.0.0.1", names=LOOPBACK, by=authority, authority=False)))
    root = tmp_path / "rootCA.pem"
    root.write_bytes(authority[1].public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(root))
    assert run("roles").code == 0


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "which can't be read"),
        (b"", "which does not contain this server's certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n", "which does not contain"),
        (b"-----BEGIN CERTIFICATE-----\n$$\n-----END CERTIFICATE-----\n", "which does not contain"),
        pytest.param(
            without_names(),
            "which does not contain this server's certificate",
            id="a certificate without names",
        ),
    ],
)
def test_who_names_another_file_reads_what_is_wrong_with_it(
    serve, run, monkeypatch, tmp_path, content, why
):
    serve(without_names())
    other = tmp_path / "other.pem"
    if content is not None:
        other.write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(other))

    ran = run("roles")

    assert ran.code == 1
    assert f"SSL_CERT_FILE names {other}, {why}" in ran.err
    assert INSTRUCTION in ran.err


def test_a_server_elsewhere_is_not_let_in_by_its_certificate_alone(serve, run, monkeypatch):
    """Anyone who has the name's address there could show it, so the name must be in it too."""
    from jupyter_wb_aws.cli import transport

    certfile = serve(without_names())
    monkeypatch.setenv("SSL_CERT_FILE", str(certfile))
    monkeypatch.setattr(transport, "is_local_server", lambda url, named_by_file: False)
    monkeypatch.setattr(
        "jupyter_wb_aws.cli.client.is_local_server", lambda url, named_by_file: False
    )
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    ran = run("roles")

    assert ran.code == 1
    assert "a host name that is in the certificate" in ran.err
    assert INSTRUCTION not in ran.err
