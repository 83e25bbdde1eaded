import datetime as dt
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jupyter_wb_aws.identity.oidc_source import OidcTokenSource
from tests.identity.fetching import Answering
from tests.identity.signing_in import ClockFromNow
from tests.openid import CLIENT, REDIRECT_URI, OpenIdProvider

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])


@pytest.fixture
def provider():
    with OpenIdProvider() as provider:
        yield provider


@pytest.fixture
def plain():
    with Answering() as server:
        yield server


@pytest.fixture
def make(provider, jp_asyncio_loop):
    made = []

    def make(redirect_uri=REDIRECT_URI, **settings):
        usual = {"issuer": provider.issuer, "client_id": CLIENT, "timeout": 5.0}
        clock = ClockFromNow()
        source = type("Source", (OidcTokenSource,), {"clock": clock})(**{**usual, **settings})
        source.registered_redirect_uri = lambda: redirect_uri
        made.append(source)
        return source

    yield make
    for source in made:
        jp_asyncio_loop.run_until_complete(source.close())


@pytest.fixture
def source(make):
    return make()


def write_certificate(path):
    """Write a certificate for localhost that signs itself, and its key, into one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.DNSName("idp.example")]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return write_certificate(tmp_path_factory.mktemp("tls") / "localhost.pem")


@pytest.fixture
def secure(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Answering(context) as server:
        yield server
