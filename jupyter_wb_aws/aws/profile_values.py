"""Which settings of the default profile break the role, with any credentials.

botocore reads these even if the profile gives no credentials. It then raises, or sends the web identity
token elsewhere. This was measured with botocore 1.44, for every variable of its configuration and values of
every kind; `tests/aws/test_profile_values.py` repeats it with the installed version.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from jupyter_wb_aws.aws.profile_files import Section, Value
from jupyter_wb_aws.aws.safe_read import read_file

# botocore.utils, validate_region_name.
REGION = re.compile(r"(?![0-9]+$)(?!-)[a-zA-Z0-9-]{1,63}(?<!-)")
URL = re.compile(r"[a-z]+://(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d*)?(/.*)?", re.ASCII)
PLAIN = re.compile(r"[a-z0-9-]+")
PEM = (b"-----BEGIN CERTIFICATE-----", b"-----BEGIN TRUSTED CERTIFICATE-----")

IGNORES = "ignore_configured_endpoint_urls"

Check = Callable[[Value], str | None]


def _one_of(*known: str, any_case: bool = True) -> Check:
    def check(value: Value) -> str | None:
        text = value.lower() if any_case and isinstance(value, str) else value
        return None if text in known else f"must be one of {', '.join(known)}"

    return check


def _integer(minimum: int | None = None, maximum: int | None = None) -> Check:
    def check(value: Value) -> str | None:
        try:
            number = int(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return "must be a whole number"
        if minimum is not None and number < minimum:
            return f"must be {minimum} or more"
        return f"must be {maximum} or less" if maximum is not None and number > maximum else None

    return check


def _table(value: Value) -> str | None:
    return None if isinstance(value, dict) else "must be followed by indented lines `key = value`"


def _text(value: Value) -> str | None:
    return None if isinstance(value, str) else "must be written in one line"


def _region(value: Value) -> str | None:
    fits = isinstance(value, str) and REGION.fullmatch(value)
    return None if fits else "must be a region, such as eu-central-1"


def _address(value: Value) -> str | None:
    fits = isinstance(value, str) and (not value or URL.fullmatch(value))
    return None if fits else "must be a URL"


def _bundle(value: Value) -> str | None:
    file = read_file(Path(value)) if isinstance(value, str) and value else None
    if file is not None and not file.problem and any(mark in file.content for mark in PEM):
        return None
    return "must name a file of certificates (PEM); `~` and `$` are not expanded"


@functools.cache
def _data_of_botocore() -> Path | None:
    """Return the folder of botocore's own data, without importing botocore."""
    spec = importlib.util.find_spec("botocore")
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places)), "data") if places else None


def _versions(value: Value) -> str | None:
    """Check the API versions of services against botocore's data; it fails on unknown ones."""
    data = _data_of_botocore()
    if not isinstance(value, dict) or data is None:
        return _table(value)
    for service, version in value.items():
        known = data / service
        if PLAIN.fullmatch(service) and known.is_dir() and not _has_version(known, version):
            return f"names a version of `{service}` that botocore does not have"
    return None


def _has_version(service: Path, version: str) -> bool:
    return bool(PLAIN.fullmatch(version)) and (service / version).is_dir()


_boolean = _one_of("true", "false")
_checksum = _one_of("when_supported", "when_required")
_us_east_1 = _one_of("legacy", "regional", any_case=False)

# Each setting, the variable that overrides it (if any), and the check of its value.
CHECKS: dict[str, tuple[str | None, Check]] = {
    "account_id_endpoint_mode": ("AWS_ACCOUNT_ID_ENDPOINT_MODE", _one_of("preferred", "disabled", "required")),
    "api_versions": (None, _versions),
    "auth_scheme_preference": ("AWS_AUTH_SCHEME_PREFERENCE", _text),
    "ca_bundle": ("AWS_CA_BUNDLE", _bundle),
    "data_path": ("AWS_DATA_PATH", _text),
    "defaults_mode": ("AWS_DEFAULTS_MODE", _one_of("legacy", "standard", "auto", "in-region", "cross-region", "mobile")),
    "disable_request_compression": ("AWS_DISABLE_REQUEST_COMPRESSION", _boolean),
    "ec2_metadata_service_endpoint": ("AWS_EC2_METADATA_SERVICE_ENDPOINT", _address),
    "ec2_metadata_service_endpoint_mode": ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", _one_of("ipv4", "ipv6")),
    "endpoint_discovery_enabled": ("AWS_ENDPOINT_DISCOVERY_ENABLED", _one_of("true", "false", "auto")),
    "max_attempts": ("AWS_MAX_ATTEMPTS", _integer(1)),
    "metadata_service_num_attempts": ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", _integer()),
    "metadata_service_timeout": ("AWS_METADATA_SERVICE_TIMEOUT", _integer()),
    "output": ("AWS_DEFAULT_OUTPUT", _one_of("json", "text", "table", "yaml", "yaml-stream", "off", any_case=False)),
    "region": ("AWS_DEFAULT_REGION", _region),
    "request_checksum_calculation": ("AWS_REQUEST_CHECKSUM_CALCULATION", _checksum),
    "request_min_compression_size_bytes": ("AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES", _integer(1, 1048576)),
    "response_checksum_validation": ("AWS_RESPONSE_CHECKSUM_VALIDATION", _checksum),
    "retry_mode": ("AWS_RETRY_MODE", _one_of("legacy", "standard", "adaptive", any_case=False)),
    "s3": (None, _table),
    "s3_disable_express_session_auth": ("AWS_S3_DISABLE_EXPRESS_SESSION_AUTH", _boolean),
    "s3_us_east_1_regional_endpoint": ("AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", _us_east_1),
    "use_dualstack_endpoint": ("AWS_USE_DUALSTACK_ENDPOINT", _boolean),
    "use_fips_endpoint": ("AWS_USE_FIPS_ENDPOINT", _boolean),
}  # fmt: skip
OF_S3: dict[str, Check] = {
    "addressing_style": _one_of("auto", "virtual", "path", any_case=False),
    "us_east_1_regional_endpoint": _us_east_1,
}


def invalid_settings(
    profile: Mapping[str, Value], services: Section | None, environment: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield each setting of the default profile that breaks an SDK, and what it must be.

    Args:
        profile: merged from both files.
        services: the section that its `services` names, or None.
        environment: of the process; variables override settings.
    """
    for key, (variable, check) in CHECKS.items():
        if key in profile and (not variable or variable not in environment):
            reason = check(profile[key])
            if reason is not None:
                yield key, reason
    yield from _unusable_for_s3(profile.get("s3"))
    monitored = str(profile.get("csm_enabled", "")).lower() == "true"
    port = _integer()(profile.get("csm_port", "0"))
    if monitored and port is not None:
        yield "csm_port", port
    if "services" in profile:
        yield from _unusable_services(services)


def _unusable_for_s3(s3: Value | None) -> Iterator[tuple[str, str]]:
    if isinstance(s3, dict):
        for key, check in OF_S3.items():
            if key in s3 and (reason := check(s3[key])) is not None:
                yield "s3", f"`{key}` {reason}"


def _unusable_services(services: Section | None) -> Iterator[tuple[str, str]]:
    if not services:
        yield "services", "must name a [services] section that exists"
    elif wrong := [name for name, value in services.items() if not isinstance(value, dict)]:
        yield "services", f"names a section whose `{wrong[0]}` {_table('')}"


def foreign_sts_setting(
    profile: Mapping[str, Value], services: Section | None, environment: Mapping[str, str]
) -> str | None:
    """Return the setting that sends the web identity token to another STS, or None.

    It names an endpoint that is not AWS's; or, if the environment names a store's endpoint, it makes the SDKs
    ignore that.

    Args:
        profile: merged from both files.
        services: the section that its `services` names, or None.
        environment: of the process.
    """
    ignored = profile.get(IGNORES, "")
    if (by_variable := environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")) is not None:
        if by_variable.lower() == "true":
            return None
        ignored = ""
    if str(ignored).lower() == "true":
        return IGNORES if any(name.startswith("AWS_ENDPOINT_URL") for name in environment) else None
    if environment.get("AWS_ENDPOINT_URL_STS") or environment.get("AWS_ENDPOINT_URL"):
        return None
    of_sts = (services or {}).get("sts")
    if isinstance(of_sts, dict) and of_sts.get("endpoint_url"):
        return "services"
    return "endpoint_url" if profile.get("endpoint_url") else None
