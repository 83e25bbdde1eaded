"""What a site has set for the hub service, once it is checked."""

from __future__ import annotations

from dataclasses import dataclass

# Seconds.
MAX_TOKEN_LIFETIME = 12 * 3600


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """The settings of `HubServiceApp`, under the same names; its help texts say what each means."""

    issuer: str
    audience: str
    roles_file: str
    keys_dir: str
    algorithm: str
    token_lifetime: int
    publish_lead: int
    subject_template: str
    audit_log: str
    tokens_per_minute: int
    hub_requests_per_second: int
    only_from_servers: bool
    service_name: str
    prefix: str
    ip: str
    port: int
    hub_api_url: str
    hub_ca_bundle: str
