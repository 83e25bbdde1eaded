"""What the token endpoint and the device authorization endpoint answer, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from jupyter_wb_aws.errors import IdpBadAnswer
from jupyter_wb_aws.identity.provider import is_http_url
from jupyter_wb_aws.identity.token import SecretStr

# Seconds. RFC 8628, 3.2: the polling interval if the provider names none.
DEFAULT_INTERVAL, MAX_INTERVAL = 5, 60
DEFAULT_CODE_LIFETIME, MAX_CODE_LIFETIME = 600, 3600
# Both are shown in a terminal, and the code is typed by hand.
MAX_USER_CODE_LENGTH, MAX_URL_LENGTH = 100, 2000


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """A successful response of the token endpoint (RFC 6749, 5.1).

    `refresh_expires_in` is in seconds. `clock_ahead` is how far the provider's clock is ahead of ours.
    """

    id_token: str | None = field(repr=False)
    access_token: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)
    refresh_expires_in: int | None
    scope: str | None
    clock_ahead: timedelta

    @property
    def has_tokens(self) -> bool:
        """Whether there is a token of any kind in it."""
        return bool(self.access_token or self.id_token or self.refresh_token)


@dataclass(frozen=True, slots=True)
class DeviceAuthorizationResponse:
    """A response of the device authorization endpoint (RFC 8628, 3.2); times are in seconds."""

    device_code: str = field(repr=False)
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    expires_in: int
    interval: int


def token_response(found: Mapping[str, Any], clock_ahead: timedelta) -> TokenResponse:
    """Read the JSON object of a token endpoint's response."""
    return TokenResponse(
        id_token=_secret(found, "id_token"),
        access_token=_secret(found, "access_token"),
        refresh_token=_secret(found, "refresh_token"),
        refresh_expires_in=_seconds(found.get("refresh_expires_in")),  # Keycloak's
        scope=text_member(found, "scope"),
        clock_ahead=clock_ahead,
    )


def device_authorization_response(found: Mapping[str, Any]) -> DeviceAuthorizationResponse:
    """Read the JSON object of a device authorization endpoint's response.

    Raises:
        IdpBadAnswer: if a required member is missing, or can't be shown to the user.
    """
    device_code, user_code = _secret(found, "device_code"), text_member(found, "user_code")
    # Google's name for it is older than the RFC.
    uri = text_member(found, "verification_uri") or text_member(found, "verification_url") or ""
    user_code, uri = (user_code or "").strip(), uri.strip()
    if not (device_code and user_code and uri.startswith(("https://", "http://"))):
        raise IdpBadAnswer(
            "The identity provider's device authorization response lacks members that RFC 8628 requires."
        )
    # In a terminal or on a page, a line break or an escape could pretend to be a sentence of ours.
    if not (user_code.isprintable() and len(user_code) <= MAX_USER_CODE_LENGTH and _can_show(uri)):
        raise IdpBadAnswer(
            "The identity provider's device authorization response can't be shown: its code or address has line"
            " breaks or other control characters, is too long, or the address is not a URL."
        )
    complete = (text_member(found, "verification_uri_complete") or "").strip()
    return DeviceAuthorizationResponse(
        device_code,
        user_code,
        uri,
        complete if complete and _can_show(complete) else None,
        min(_seconds(found.get("expires_in")) or DEFAULT_CODE_LIFETIME, MAX_CODE_LIFETIME),
        max(1, min(_seconds(found.get("interval")) or DEFAULT_INTERVAL, MAX_INTERVAL)),
    )


def text_member(found: Mapping[str, Any], name: str) -> str | None:
    """Return a member that is a text; None if it is missing, empty or anything else."""
    value = found.get(name)
    return value if isinstance(value, str) and value else None


def _secret(found: Mapping[str, Any], name: str) -> SecretStr | None:
    text = text_member(found, name)
    return None if text is None else SecretStr(text)


def _can_show(url: str) -> bool:
    return len(url) <= MAX_URL_LENGTH and is_http_url(url)


def _seconds(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 10**9:
        return None
    return int(value)
