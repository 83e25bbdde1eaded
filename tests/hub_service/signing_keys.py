"""What the tests of the hub service's keys share: a folder of keys, the time, and programs that check tokens."""

import dataclasses
import json
import os
from datetime import timedelta

import jwt
from joserfc import jwk as jose_jwk
from joserfc import jwt as jose_jwt

from jupyter_wb_aws.hub.key_changes import make_key
from jupyter_wb_aws.hub.key_files import as_file, file_name
from jupyter_wb_aws.hub.keys import SigningKeys

LIFETIME, LEAD = 3600, 900
LEEWAY = 300  # of AWS
UNCHECKED = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}


def open_keys(folder, clock, algorithm="ES256", lifetime=LIFETIME, lead=LEAD):
    """Return what one process of the service has."""
    keys = SigningKeys(folder, algorithm, lifetime, lead, clock)
    keys.open()
    return keys


def kids(keys):
    return [key["kid"] for key in keys.public_keys()["keys"]]


def codes(keys):
    return [problem.code for problem in keys.problems]


def sign(key, **claims):
    return jwt.encode(claims, key.private_key, key.algorithm, headers={"kid": key.kid})


def verify(token, key_set):
    """Check a signature with PyJWT, with the key that the token names; return the claims, which are not checked."""
    keys = jwt.PyJWKSet.from_dict(key_set)
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key, options=UNCHECKED)


def verify_with_joserfc(token, key_set):
    return jose_jwt.decode(token, jose_jwk.KeySet.import_key_set(key_set)).claims


def write_key(folder, clock, algorithm="ES256", mode=0o600, signs_in=0):
    """Write the file of a key that somebody else made; return its path."""
    key = make_key(algorithm, clock.now(), clock.now() + timedelta(seconds=signs_in))
    path = folder / file_name(key.kid)
    path.write_bytes(as_file(key))
    path.chmod(mode)
    return path


def write_replaced_key(folder, clock, seconds):
    """Write the file of a key that is published for so long, without its private half; return its id."""
    key = make_key("ES256", clock.now(), clock.now())
    until = clock.now() + timedelta(seconds=seconds)
    key = dataclasses.replace(key, private=None, published_until=until)
    path = folder / file_name(key.kid)
    path.write_bytes(as_file(key))
    path.chmod(0o600)
    return key.kid


def private_files(folder):
    """Return the names of all files with a private key in them, hidden ones too."""
    return sorted(
        name for name in os.listdir(folder)
        if (folder / name).is_file() and b"PRIVATE KEY" in (folder / name).read_bytes()
    )  # fmt: skip


def snapshot(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def change_file(path, **fields):
    """Change fields of a key's file, in place."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
