"""botocore without the machine's own AWS settings: it reads neither `AWS_*` variables nor `~/.aws`.

Import this only where botocore is needed anyway: it takes 100 ms and a dozen MiB.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES as DEFAULTS
from botocore.loaders import Loader
from botocore.session import Session

from jupyter_wb_aws.aws.proxy_variables import bypasses, proxies_in
from jupyter_wb_aws.loopback import is_loopback

T = TypeVar("T")


def isolated_session(
    environment: Mapping[str, str] | None = None, region: str | None = None
) -> Session:
    """Return a botocore session that reads its settings from `environment` instead of `os.environ`."""
    session = Session(session_vars=_variables(environment or {}))
    session.set_config_variable("config_file", os.devnull)
    session.set_config_variable("credentials_file", os.devnull)
    # As in the kernels; older versions of botocore call the global endpoint for the older regions.
    session.set_config_variable("sts_regional_endpoints", "regional")
    if region is not None:
        session.set_config_variable("region", region)
    # Without ~/.aws/models, where a user may keep other service models.
    loader = Loader([Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    session.register_component("data_loader", loader)
    return session


def _variables(
    environment: Mapping[str, str],
) -> dict[str, tuple[str | None, None, Any, Any]]:
    """Detach all of botocore's settings from `os.environ`.

    `session_vars` maps a setting to (name in a profile, environment variable, default, conversion). Ours
    leave out the variable, and have its value in `environment`, if set, as the default.
    """
    cut: dict[str, tuple[str | None, None, Any, Any]] = {}
    for setting, (_, names, default, convert) in DEFAULTS.items():
        listed = [names] if isinstance(names, str) else names or []
        values = [environment[name] for name in listed if environment.get(name)]
        value = (convert(values[0]) if convert else values[0]) if values else default
        cut[setting] = (None, None, value, convert)
    return cut


def silence_botocore() -> None:
    """Keep botocore from logging at DEBUG, where it logs whole requests and responses with all secrets."""
    for name in ["botocore", *logging.root.manager.loggerDict]:
        if name == "botocore" or (name.startswith("botocore.") and logging.getLogger(name).level):
            logger = logging.getLogger(name)
            logger.setLevel(max(logger.level, logging.INFO))


def make_with_proxies(
    make: Callable[[dict[str, str] | None], T], environment: Mapping[str, str]
) -> T:
    """Make a client that uses the proxies that a kernel's boto3 would use.

    botocore reads them from `os.environ`, by the client's endpoint, which is known only once there is a client.

    Args:
        make: makes a client with these proxies; with None, botocore uses the machine's own.
        environment: the role session's variables, which override the server's own.
    """
    if not proxies_in({**os.environ, **environment}):
        return make({} if proxies_in(os.environ) else None)
    client: Any = make({})
    proxies = proxies_for(client.meta.endpoint_url, environment)
    return make(proxies) if proxies else client


def proxies_for(endpoint: str | None, environment: Mapping[str, str]) -> dict[str, str] | None:
    """Return the proxies for `endpoint` by scheme; None if no proxy is set.

    No proxy is used for a loopback endpoint, or for one that NO_PROXY names.
    """
    proxies = proxies_in({**os.environ, **environment})
    if endpoint and (is_loopback(endpoint) or bypasses(endpoint, proxies.get("no", ""))):
        return {}
    return {scheme: proxies[scheme] for scheme in ("http", "https") if scheme in proxies} or None
