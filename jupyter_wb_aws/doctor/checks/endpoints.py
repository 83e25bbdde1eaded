"""Where calls go, and through which proxy: endpoint variables, proxies, CA bundles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from jupyter_wb_aws.aws.iam_claims import printable
from jupyter_wb_aws.doctor.addresses import (
    PROXIES,
    host_of,
    ignores_endpoints,
    is_metadata,
    parts_of,
    proxy_for,
    sts_url,
    without_secrets,
)
from jupyter_wb_aws.doctor.checks.remedies import export, unset
from jupyter_wb_aws.doctor.codes import AWS, BOTO3, DELTALAKE, JS, POLARS, new_finding
from jupyter_wb_aws.doctor.facts import Facts
from jupyter_wb_aws.doctor.finding import Finding
from jupyter_wb_aws.loopback import is_loopback

STS = "AWS_ENDPOINT_URL_STS"
# The SDKs that read each variable, according to their documentation.
READERS = {
    "AWS_CA_BUNDLE": (BOTO3, AWS),
    "REQUESTS_CA_BUNDLE": (BOTO3, AWS),
    "CURL_CA_BUNDLE": (),
    "SSL_CERT_FILE": (POLARS, DELTALAKE),
    "SSL_CERT_DIR": (POLARS, DELTALAKE),
    "NODE_EXTRA_CA_CERTS": (JS,),
}  # fmt: skip
CONTAINER = "AWS_CONTAINER_CREDENTIALS_FULL_URI"


def check_endpoints(facts: Facts) -> Iterator[Finding]:
    """Check every endpoint that a variable names."""
    endpoints = {
        name: value
        for name, value in sorted(facts.environment.items())
        if (name == "AWS_ENDPOINT_URL" or name.startswith("AWS_ENDPOINT_URL_")) and value
    }
    for name, value in endpoints.items():
        if not value.startswith(("http://", "https://")) or not host_of(value):
            yield new_finding(
                "endpoint_malformed",
                f"{name} is not an http(s) URL: {printable(without_secrets(value))!r}.",
                unset(facts, name),
            )
    more = (CONTAINER, *(name for pair in PROXIES.values() for name in pair))
    to_metadata = list(_metadata(facts, {**endpoints, **{name: facts.get(name) for name in more}}))
    yield from to_metadata
    if not to_metadata and facts.sts is not None and facts.sts.problem == "metadata":
        yield new_finding(
            "endpoint_metadata",
            f"Of the address where boto3 calls STS: {printable(facts.sts.detail)}.",
            "Correct the profile's `services` or `endpoint_url`, or the address that the name or the proxy's name resolves to.",
        )
    if STS in endpoints:
        yield _sts(facts, endpoints[STS])
    if endpoints and ignores_endpoints(facts.environment):
        yield new_finding(
            "endpoint_ignored",
            f"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is set, so {' and '.join(endpoints)}"
            f" {'has' if len(endpoints) == 1 else 'have'} no effect.",
            unset(facts, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
        )
    elif others := [name for name in endpoints if name != STS]:
        named = ", ".join(
            f"{name}={printable(without_secrets(endpoints[name]))}" for name in others
        )
        yield new_finding(
            "endpoint_set",
            f"{named}: boto3, JavaScript and the aws command (2.13 and newer) call this address. Older versions and other"
            " SDKs call AWS itself.",
        )


def _metadata(facts: Facts, urls: dict[str, str]) -> Iterator[Finding]:
    for name, value in urls.items():
        if is_metadata(host_of(value)):
            yield new_finding(
                "endpoint_metadata",
                f"{name} leads to the machine's metadata service ({host_of(value)}).",
                unset(facts, name),
            )


def _sts(facts: Facts, value: str) -> Finding:
    region = "AWS_REGION and AWS_DEFAULT_REGION are enough for AWS's own STS."
    if value.startswith("http://"):
        return new_finding(
            "sts_endpoint_http",
            f"{STS} is an http:// URL ({printable(without_secrets(value))}). polars and deltalake refuse it. pyarrow takes"
            " any URL here for a host name, and sends unsigned requests.",
            f"{unset(facts, STS)}. {region}",
        )
    return new_finding(
        "sts_endpoint_set",
        f"{STS} is set ({printable(without_secrets(value))}). pyarrow takes the URL for a host name, does not find it, and"
        " sends unsigned requests.",
        f"{unset(facts, STS)}. {region}",
    )


def check_proxies(facts: Facts) -> Iterator[Finding]:
    """Check the proxy variables; a proxy's password is never shown."""
    for lower, upper in PROXIES.values():
        one, other = facts.get(lower), facts.get(upper)
        if one and other and one != other:
            yield new_finding(
                "proxies_differ",
                f"{lower} and {upper} differ. boto3 uses the first, some SDKs use the second.",
                unset(facts, upper),
            )
        for name, value in ((lower, one), (upper, other)):
            if value and not _is_proxy(value):
                yield new_finding(
                    "proxy_malformed",
                    f"{name} is not the URL of a proxy, such as http://proxy.example.com:3128.",
                    unset(facts, name),
                )
    url = sts_url(facts.environment, facts.profile)
    proxy = proxy_for(url, facts.environment)
    if proxy is None or not _is_proxy(proxy):
        return
    if is_loopback(url):
        # boto3 reads the second only if the first is not set; an empty one is set.
        name = "no_proxy" if "no_proxy" in facts.environment else "NO_PROXY"
        before = facts.get(name)
        # Hosts are compared as text, so the spelling that is used (127.1, [::1]) must be listed.
        hosts = dict.fromkeys(["localhost", "127.0.0.1", _host_as_written(url)])
        listed = ",".join(filter(None, [before, *hosts]))
        yield new_finding(
            "proxy_for_loopback",
            f"{printable(without_secrets(url))} is on this machine, but boto3 calls it through the proxy"
            f" {printable(without_secrets(proxy))}.",
            export(facts, name, listed),
        )
    else:
        yield new_finding(
            "proxy_used", f"STS is called through the proxy {printable(without_secrets(proxy))}."
        )


def _host_as_written(url: str) -> str:
    host = urlsplit(url).netloc.rpartition("@")[2]
    return re.sub(r":\d*$", "", host)


def _is_proxy(value: str) -> bool:
    try:
        parts = parts_of(value)
        _ = parts.port  # raises ValueError if it is not a port
    except ValueError:
        return False
    return bool(parts.hostname) and parts.scheme in {
        "",
        "http",
        "https",
        "socks5",
        "socks5h",
        "socks4",
    }


def check_bundles(facts: Facts) -> Iterator[Finding]:
    """Check the files of certificates that variables name."""
    for name, wrong in facts.bundles.items():
        path = printable(facts.get(name))
        code = "ca_bundle_missing" if wrong == "missing" else "ca_bundle_broken"
        what = (
            "which does not exist"
            if wrong == "missing"
            else "which contains no certificate in PEM format"
        )
        yield new_finding(
            code, f"{name} names {path}, {what}.", unset(facts, name), sdks=READERS[name]
        )
    of_boto = [name for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE") if facts.get(name)]
    if of_boto and not any(facts.get(name) for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")):
        yield new_finding(
            "ca_bundle_for_some",
            f"{of_boto[0]} is for boto3 and the aws command. JavaScript reads NODE_EXTRA_CA_CERTS; polars and deltalake"
            " read SSL_CERT_FILE.",
            f"{export(facts, 'SSL_CERT_FILE', facts.get(of_boto[0]))}; do the same for NODE_EXTRA_CA_CERTS if you use JavaScript",
        )
