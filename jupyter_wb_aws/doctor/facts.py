"""Everything that the checks need; `gather.py`, `probes.py` and `get_caller_identity.py` collect it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from jupyter_wb_aws.aws.safe_read import FileContent
from jupyter_wb_aws.aws.sts import CallerIdentity
from jupyter_wb_aws.doctor.profiles import Line, Profile, Profiles
from jupyter_wb_aws.variables import ENDPOINT_TOKEN_FILE, ENDPOINT_URI, NAMES_SET

NOT_SET_UP = frozenset({"not_configured", "not_enabled"})
ProcessKind = Literal["kernel", "terminal", "server"]


@dataclass(frozen=True, slots=True)
class CachedCredentials:
    """An entry of the `aws` command's cache: its role session and expiry, never the keys."""

    path: Path
    session_name: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of a request without credentials.

    `problem` says why there was no answer. `ahead` is how far the server's clock is ahead of ours.
    `issuer` is the issuer that a discovery document names.
    """

    url: str
    problem: Literal["unreachable", "certificate", "metadata"] | None = None
    detail: str = ""
    ahead: timedelta | None = None
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class CallResult:
    """The result of GetCallerIdentity with boto3's own chain.

    `provider` is botocore's name of the provider that won. `identity` is None if the STS does not say
    whose credentials these are. `error` is STS's code or the exception's type.
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
class EndpointAnswer:
    """What the credential endpoint answers to this process, without the credentials.

    `code` and `message` are a refusal's own; of an unreachable one, `message` is the reason.
    """

    outcome: Literal["answers", "refused", "not_ready", "unreachable"]
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The Jupyter server's answers, in the shapes of the REST contract; `problem` says why there are none.

    `health` is what it says of its role sessions in `GET /aws/health`. `roles` are those that it offers, None if that
    is not known; `roles_problem` is its answer where it can't list them. `endpoint_clients` hold its endpoint tokens.
    Only the server itself knows two of these. `no_role_chosen`: the user chose "no AWS role" for this process.
    `files_named`: the variables that name the user's own profile files, if these are hidden.
    """

    problem: Mapping[str, Any] | None = None
    token_source: Mapping[str, Any] | None = None
    catalogue: Mapping[str, Any] | None = None
    sessions: Sequence[Mapping[str, Any]] = ()
    health: Sequence[Mapping[str, Any]] = ()
    no_role_chosen: bool = False
    notices: Sequence[Mapping[str, str]] = ()
    files_named: Mapping[str, str] = field(default_factory=dict)
    roles: Sequence[Mapping[str, Any]] | None = None
    roles_problem: Mapping[str, Any] | None = None
    endpoint_clients: Sequence[Mapping[str, Any]] = ()

    def claims_for(self, role_arn: str) -> Mapping[str, Any] | None:
        """Return the claims of the server's current token for a role; None if they are not known."""
        ids = {session["id"] for session in self.sessions if session["role_arn"] == role_arn}
        of_role = (of["claims"] for of in self.health if of["id"] in ids and of.get("claims"))
        source = self.token_source or {}
        of_all = None if source.get("binds_role") else source.get("claims")
        return next(of_role, of_all)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one process.

    Args:
        environment: its variables; some values are secret.
        now: this machine's time.
        process_kind: what kind of process it is, if it is one of Jupyter's.
        startup_lines: where the user's shell sets a variable, by the variable's name.
        renviron: where the user's `.Renviron` sets an AWS variable, by the variable's name.
        bundles: what is wrong with the CA bundle that a variable names, by the variable's name.
        user_profiles: the user's own profiles, if their files are hidden.
        endpoint_token: the file with the endpoint token.
        endpoint: what the credential endpoint answers; None if it was not asked.
        boto2_conflict: the key that boto3 finds in a file of boto 2, in words.
        sdk_versions: of botocore and `aws`, where the credential endpoint gives the role.
    """

    environment: Mapping[str, str] = field(repr=False)
    now: datetime
    process_kind: ProcessKind | None = None
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
    endpoint_token: FileContent | None = None
    endpoint: EndpointAnswer | None = None
    boto2_conflict: str | None = None
    sdk_versions: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str:
        """Return a variable's value; an empty string if it is not set."""
        return self.environment.get(name, "")

    @property
    def has_role(self) -> bool:
        """Whether the process has a role and a token file or the credential endpoint, as a role session gives them."""
        return self.has_web_identity or self.by_endpoint

    @property
    def has_web_identity(self) -> bool:
        """Whether the process has the variables of a web identity."""
        return bool(self.get("AWS_ROLE_ARN") and self.get("AWS_WEB_IDENTITY_TOKEN_FILE"))

    @property
    def by_endpoint(self) -> bool:
        """Whether a role session has given the process the credential endpoint: a container's own is another's."""
        return bool(self.get(ENDPOINT_URI)) and ENDPOINT_URI in self.get(NAMES_SET).split()

    @property
    def endpoint_client(self) -> Mapping[str, Any] | None:
        """What the server says of this process's client of the credential endpoint; its token's file has its id."""
        client_id = Path(self.get(ENDPOINT_TOKEN_FILE)).stem.rpartition("_")[2]
        clients = self.server.endpoint_clients if self.server else ()
        return next((client for client in clients if client["id"] == client_id), None)

    @property
    def can_switch(self) -> bool:
        """Whether the process is a kernel or terminal that gets another role without a restart."""
        client = self.endpoint_client if self.by_endpoint else None
        return client is not None and (client["kind"], client["state"]) == (
            self.process_kind,
            "running",
        )

    @property
    def by_env(self) -> bool:
        """Whether the process is a terminal with the variables that `jupyter wb-aws env` prints."""
        client = self.endpoint_client if self.by_endpoint else None
        return (
            client is not None
            and client["kind"] == "environment"
            and self.process_kind in {"terminal", None}
        )

    @property
    def lacks_role(self) -> bool:
        """Whether the process has no role and, as far as is known, no other credentials."""
        if self.get("AWS_ROLE_ARN") or self.get("AWS_WEB_IDENTITY_TOKEN_FILE") or self.by_endpoint:
            return False
        call = self.call
        return call is None or (call.outcome in {"failed", "not_made"} and call.provider is None)

    @property
    def role_sessions(self) -> Sequence[Mapping[str, Any]]:
        """The server's role sessions, if they are known."""
        return self.server.sessions if self.server else ()

    @property
    def not_set_up(self) -> bool:
        """Whether the server is known to offer no AWS roles."""
        problem = self.server.problem if self.server else None
        return problem is not None and problem.get("code") in NOT_SET_UP

    @property
    def sign_in_problem(self) -> Mapping[str, Any] | None:
        """Why the user has to sign in, if the server says so."""
        source = self.server.token_source if self.server else None
        problem = source["problem"] if source else None
        return problem if problem and problem["code"] == "sign_in_required" else None

    @property
    def is_offered_no_role(self) -> bool:
        """Whether the user is known to be offered no role."""
        return self.server is not None and self.server.roles is not None and not self.server.roles

    @property
    def default_role(self) -> str | None:
        """The label of the default role, if there is one and it is known."""
        return next((str(s["label"]) for s in self.role_sessions if s["default"]), None)

    @property
    def no_role_chosen(self) -> bool:
        """Whether the user chose "no AWS role" for this process."""
        return self.server is not None and self.server.no_role_chosen

    @property
    def chosen_profile(self) -> str | None:
        """The profile that a variable names, in the order of the SDK for JavaScript."""
        names = (self.environment.get(n) for n in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"))
        return next((name for name in names if name is not None), None)

    @property
    def profile(self) -> Profile | None:
        """The profile that the SDKs use."""
        return self.profiles.by_name.get(self.chosen_profile or "default")
