"""botocore without the machine's own AWS settings: nothing is taken from `AWS_*` variables or `~/.aws`.

Import it where botocore is needed anyway: it costs a hundred milliseconds and a dozen MiB.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES as DEFAULTS
from botocore.loaders import Loader
from botocore.session import Session

from jupyter_wb_aws.aws.proxies import bypasses, proxies_in
from jupyter_wb_aws.loopback import is_loopback

T = TypeVar("T")


def isolated_session(
    environment: Mapping[str, str] | None = None, region: str | None = None
) -> Session:
    """Make a botocore session that takes its settings from `environment` in place of `os.environ`."""
    session = Session(session_vars=_variables(environment or {}))
    session.set_config_variable("config_file", os.devnull)
    session.set_config_variable("credentials_file", os.devnull)
    # As in the kernels; older versions of botocore call the global endpoint for the older regions.
    session.set_config_variable("sts_regional_endpoints", "regional")
    if region is not None:
        session.set_config_variable("region", region)
    # Without ~/.aws/models, where a user may keep another idea of a service.
    loader = Loader([Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    session.register_component("data_loader", loader)
    return session


def _variables(
    environment: Mapping[str, str],
) -> dict[str, tuple[str | None, None, Any, Any]]:
    """Cut every tie between botocore's settings and `os.environ`.

    `session_vars` maps a setting to (name in a profile, environment variable, default, conversion);
    ours replace botocore's own, with the variable left out, and its value in `environment`, where it
    has one, in place of the default.
    """
    cut: dict[str, tuple[str | None, None, Any, Any]] = {}
    for setting, (_, names, default, convert) in DEFAULTS.items():
        listed = [names] if isinstance(names, str) else names or []
        values = [environment[name] for name in listed if environment.get(name)]
        value = (convert(values[0]) if convert else values[0]) if values else default
        cut[setting] = (None, None, value, convert)
    return cut


def silence_botocore() -> None:
    """Keep botocore from logging at DEBUG: it logs whole requests and answers, with all secrets."""
    for name in ["botocore", *logging.root.manager.loggerDict]:
        if name == "botocore" or (name.startswith("botocore.") and logging.getLogger(name).level):
            logger = logging.getLogger(name)
            logger.setLevel(max(logger.level, logging.INFO))


def proxied(make: Callable[[dict[str, str] | None], T], environment: Mapping[str, str]) -> T:
    """Make a client that goes through the proxies which a kernel's boto3 would take.

    botocore takes them from `os.environ`, by the client's endpoint, which is known once there is a client.

    Args:
        make: makes a client with these proxies; None lets botocore find the machine's own.
        environment: the role session's variables, which win over the server's own.
    """
    if not proxies_in({**os.environ, **environment}):
        return make({} if proxies_in(os.environ) else None)
    client: Any = make({})
    proxies = proxies_for(client.meta.endpoint_url, environment)
    return make(proxies) if proxies else client


def proxies_for(endpoint: str | None, environment: Mapping[str, str]) -> dict[str, str] | None:
    """Return the proxies to `endpoint`, by scheme; None where there are none at all.

    A loopback endpoint is never reached through a proxy, nor one that NO_PROXY names.
    """
    proxies = proxies_in({**os.environ, **environment})
    if endpoint and (is_loopback(endpoint) or bypasses(endpoint, proxies.get("no", ""))):
        return {}
    return {scheme: proxies[scheme] for scheme in ("http", "https") if scheme in proxies} or None
