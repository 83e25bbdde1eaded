"""A certificate authority of the test's own."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def _named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(subject, key, issuer, issuers_key, *extensions):
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuers_key, hashes.SHA256())


class Authority:
    """Signs for one server; `certificate` is what its clients have to trust (PEM)."""

    def __init__(self):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("The tests' own authority")
        self._certificate = _certificate(
            self._name,
            self._key,
            self._name,
            self._key,
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), False),
        )
        self.certificate = self._certificate.public_bytes(Encoding.PEM).decode()

    def server_context(self, folder, *hosts):
        """Return what a server at these names shows; the key's file is in the folder, for a moment."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(
            _named(hosts[0]),
            key,
            self._name,
            self._key,
            (x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), False),
            # OpenSSL's strict mode (Python 3.13) wants to find the issuer by it.
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False),
        )
        path = folder / "server.pem"
        path.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + certificate.public_bytes(Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        path.unlink()
        return context
