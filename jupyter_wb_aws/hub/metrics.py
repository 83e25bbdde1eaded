"""The service's metrics, as Prometheus reads them. No label has a user's name, a role or anything of a token."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE

PREFIX = "jupyter_wb_aws_hub"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

__all__ = ["CONTENT_TYPE", "Metrics"]


class Metrics:
    """What one process of the service counts and measures."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            f"{PREFIX}_requests",
            "Calls of the service, by call, status and the problem's code (`ok` without one).",
            ["call", "status", "code"],
            registry=registry,
        )
        self._request_seconds = Histogram(
            f"{PREFIX}_request_seconds",
            "How long a call took.",
            ["call"],
            buckets=SECONDS,
            registry=registry,
        )
        self._tokens = Counter(f"{PREFIX}_tokens", "Tokens handed out.", registry=registry)
        self._hub_requests = Counter(
            f"{PREFIX}_hub_requests",
            "Questions to the hub, by its HTTP status (`failed`: no answer that could be read).",
            ["outcome"],
            registry=registry,
        )
        self._hub_seconds = Histogram(
            f"{PREFIX}_hub_request_seconds",
            "How long the hub took.",
            buckets=SECONDS,
            registry=registry,
        )
        self._problems = Gauge(
            f"{PREFIX}_problems",
            "Problems that `health` has found at its last look.",
            registry=registry,
        )
        self._key_age = Gauge(
            f"{PREFIX}_signing_key_age_seconds",
            "How long ago the key that signs now was made; NaN while there is none.",
            registry=registry,
        )

    def call(self, name: str, status: int, code: str, seconds: float) -> None:
        """Count a call that was answered.

        Args:
            name: the call: `tokens`.
            status: of HTTP.
            code: the problem's; `ok` without one.
            seconds: how long it took.
        """
        self._requests.labels(name, str(status), code).inc()
        self._request_seconds.labels(name).observe(seconds)

    def token(self) -> None:
        """Count a token that is handed out."""
        self._tokens.inc()

    def hub_request(self, outcome: str, seconds: float) -> None:
        """Count a question to the hub."""
        self._hub_requests.labels(outcome).inc()
        self._hub_seconds.observe(seconds)

    def problems(self, number: int) -> None:
        """Note how many problems there are."""
        self._problems.set(number)

    def key_age(self, seconds: float) -> None:
        """Note how long ago the key that signs now was made; NaN if there is none."""
        self._key_age.set(seconds)

    def text(self) -> bytes:
        """Return all of it, in Prometheus' text format."""
        return generate_latest(self._registry)
