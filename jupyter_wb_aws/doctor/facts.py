"""Everything that the checks look at; gathered by `gather.py`, `probes.py` and `call.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from jupyter_wb_aws.aws.safe_read import FileContent
from jupyter_wb_aws.aws.sts import CallerIdentity
from jupyter_wb_aws.doctor.profiles import Line, Profile, Profiles

NOT_SET_UP = frozenset({"not_configured", "not_enabled"})
Place = Literal["kernel", "terminal", "server"]


@dataclass(frozen=True, slots=True)
class CachedCredentials:
    """An entry of the `aws` command's cache: whose it is, and until when; never the keys."""

    path: Path
    session_name: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What became of a request without credentials.

    `problem` is why there was no answer. `ahead` is how far the other's clock is ahead of ours.
    `issuer` is what a discovery document calls its issuer.
    """

    url: str
    problem: Literal["unreachable", "certificate", "metadata"] | None = None
    detail: str = ""
    ahead: timedelta | None = None
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class CallResult:
    """What became of GetCallerIdentity with boto3's own chain.

    `provider` is botocore's name of the provider that won; `identity` is None where the STS does not say
    whose credentials these are. `error` is the kind of what went wrong.
    """

    outcome: Literal["ok", "failed", "slow", "not_made"]
    provider: str | None = None
    identity: CallerIdentity | None = None
    lifetime: timedelta | None = None
    error: str = ""
    detail: str = ""
    hint: str = ""
    admin_hint: str | None = None

    def as_json(self) -> dict[str, object]:
        """Shape it as the REST contract does."""
        return {
            "outcome": self.outcome,
            "provider": self.provider,
            "identity": self.identity.as_json() if self.identity else None,
            "error": self.error or None,
            "detail": self.detail or None,
        }


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What the Jupyter server says, in the shapes of the REST contract; `problem`: why it doesn't.

    `no_role_chosen`: the user chose "no AWS role" for this process; only the server itself tells. So it does
    `files_named`: the variables that name the user's own profile files, where other files are read instead.
    """

    problem: Mapping[str, Any] | None = None
    token_source: Mapping[str, Any] | None = None
    catalogue: Mapping[str, Any] | None = None
    sessions: Sequence[Mapping[str, Any]] = ()
    no_role_chosen: bool = False
    notices: Sequence[Mapping[str, str]] = ()
    files_named: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one process.

    Args:
        environment: its variables; some are secret.
        now: this machine's time.
        place: what kind of process it is, if it is one of Jupyter's.
        startup_lines: where the user's shell sets a variable, by its name.
        renviron: where the user's `.Renviron` sets AWS's variables, by their name.
        bundles: what is wrong with the CA bundle that a variable names, by the variable.
        user_profiles: the user's own profiles, where the files of a role session stand in for them.
    """

    environment: Mapping[str, str] = field(repr=False)
    now: datetime
    place: Place | None = None
    profiles: Profiles = field(default_factory=Profiles)
    token_file: FileContent | None = None
    cli_cache: Sequence[CachedCredentials] = ()
    login_cache: Sequence[Path] = ()
    startup_lines: Mapping[str, Line] = field(default_factory=dict)
    renviron: Mapping[str, Line] = field(default_factory=dict)
    bundles: Mapping[str, Literal["missing", "broken"]] = field(default_factory=dict)
    sts: ProbeResult | None = None
    idp: ProbeResult | None = None
    server: ServerFacts | None = None
    call: CallResult | None = None
    user_profiles: Profiles | None = None

    def get(self, name: str) -> str:
        """Return a variable's value; empty where it is not set."""
        return self.environment.get(name, "")

    @property
    def has_role(self) -> bool:
        """Whether the process has what a role session gives: a role and a token file."""
        return bool(self.get("AWS_ROLE_ARN") and self.get("AWS_WEB_IDENTITY_TOKEN_FILE"))

    @property
    def lacks_role(self) -> bool:
        """Whether the process has neither a role nor, as far as is known, other credentials."""
        if self.get("AWS_ROLE_ARN") or self.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
            return False
        call = self.call
        return call is None or (call.outcome in {"failed", "not_made"} and call.provider is None)

    @property
    def role_sessions(self) -> Sequence[Mapping[str, Any]]:
        """The server's role sessions, as far as they are known."""
        return self.server.sessions if self.server else ()

    @property
    def not_set_up(self) -> bool:
        """Whether the server is known to offer no AWS roles at all."""
        problem = self.server.problem if self.server else None
        return problem is not None and problem.get("code") in NOT_SET_UP

    @property
    def default_role(self) -> str | None:
        """The role that what starts next gets, as far as it is known."""
        return next((str(s["label"]) for s in self.role_sessions if s["default"]), None)

    @property
    def no_role_chosen(self) -> bool:
        """Whether the user wants no role here."""
        return self.server is not None and self.server.no_role_chosen

    @property
    def chosen_profile(self) -> str | None:
        """The name of the profile that a variable chooses, as the SDK for JavaScript sees it first."""
        names = (self.environment.get(n) for n in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"))
        return next((name for name in names if name is not None), None)

    @property
    def profile(self) -> Profile | None:
        """The profile that the SDKs use."""
        return self.profiles.by_name.get(self.chosen_profile or "default")
