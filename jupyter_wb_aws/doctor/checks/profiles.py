"""Profiles and the user's own ~/.aws files: which settings override the role, and in which SDKs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace

from jupyter_wb_aws.aws import profile_paths
from jupyter_wb_aws.aws.file_conflicts import CONFLICTING_KEYS
from jupyter_wb_aws.aws.iam_claims import printable
from jupyter_wb_aws.aws.profile_values import IGNORES, foreign_sts_setting, invalid_settings
from jupyter_wb_aws.aws.safe_read import MAX_SIZE
from jupyter_wb_aws.doctor.addresses import without_secrets
from jupyter_wb_aws.doctor.checks.remedies import restart, unset
from jupyter_wb_aws.doctor.codes import DUCKDB, OVERRIDES_ENDPOINT, POLARS, new_finding
from jupyter_wb_aws.doctor.facts import Facts
from jupyter_wb_aws.doctor.finding import Finding, Severity
from jupyter_wb_aws.doctor.profiles import BrokenFile, Profile, Profiles

VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
NOT_A_FILE = {
    "no_file": "it is neither a file nor a folder",
}
SSO = ("sso_session", "sso_start_url", "sso_account_id", "sso_role_name", "sso_region")
MAX_NAMED = 5

RELATIVE = (
    "{} names the relative path {}. Which file that is depends on the folder of each process."
)


def check(facts: Facts) -> Iterator[Finding]:
    """Check the profile that the SDKs use, and the files."""
    yield from _files(facts)
    yield from _choice(facts)
    if facts.profile is not None:
        for code, key, what in kinds(facts.profile):
            yield _override(facts, facts.profile, code, key, what)
        yield from _settings(facts, facts.profile)
    if facts.user_profiles is not None:
        yield from _hidden(facts, facts.user_profiles)
    yield from _others(facts)


def kinds(profile: Profile) -> Iterator[tuple[str, str, str]]:
    """Yield which credentials a profile gives: the code, the key, and what it does in words."""
    if profile.has("aws_access_key_id"):
        yield "profile_static_keys", "aws_access_key_id", "holds an access key"
    if profile.has("web_identity_token_file"):
        yield (
            "profile_web_identity",
            "web_identity_token_file",
            "names its own role and token file",
        )
    elif profile.has("role_arn"):
        yield "profile_assumes_role", "role_arn", "assumes a role from other credentials"
    if profile.has("credential_process"):
        yield "profile_credential_process", "credential_process", "runs a program for credentials"
    if sso := [key for key in SSO if profile.has(key)]:
        yield "profile_sso", sso[0], "has settings of IAM Identity Center (SSO)"
    if profile.has("login_session"):
        yield "profile_login", "login_session", "has a sign-in of `aws login`"


def _override(facts: Facts, profile: Profile, code: str, key: str, what: str) -> Finding:
    line = profile.lines.get(key)
    by = _chosen_by(facts)
    name = f"[{profile.name}]" if by is None else f"The profile {printable(profile.name)!r} ({by})"
    if code == "profile_credential_process" and _is_the_role(facts, profile):
        return new_finding(
            code,
            f"{name} gets the role {printable(profile.wb_aws_role)} from `jupyter wb-aws credential-process`"
            f"{f' ({line})' if line else ''}, which is as good as a role session.",
            severity=Severity.INFO,
        )
    effect = (
        "In the SDKs listed, this overrides the role" if facts.has_role else "There is no role here"
    )
    return new_finding(
        code,
        f"{name} {what}: `{key}`{f', {line}' if line else ''}. {effect}.",
        _instead(facts, profile, by),
        severity=None if facts.has_role else Severity.INFO,
        sdks=_affected(facts, profile, code) if facts.by_endpoint else None,
    )


def _affected(facts: Facts, profile: Profile, code: str) -> tuple[str, ...]:
    """Return which SDKs prefer a profile to the credential endpoint, as measured."""
    line = profile.lines.get("aws_access_key_id")
    if code == "profile_static_keys" and line is not None and line.path == facts.profiles.config:
        return tuple(sdk for sdk in OVERRIDES_ENDPOINT[code] if sdk not in {POLARS, DUCKDB})
    return OVERRIDES_ENDPOINT[code]


def _is_the_role(facts: Facts, profile: Profile) -> bool:
    """Return whether a profile gets its role from us, and not another one than this process has."""
    role = profile.wb_aws_role
    arn = facts.get("AWS_ROLE_ARN")
    mine = (arn, arn.rpartition("/")[2], facts.get("JUPYTER_WB_AWS_ROLE"))
    return role is not None and (not arn or role.casefold() in map(str.casefold, mine))


def _instead(facts: Facts, profile: Profile, by: str | None) -> str:
    if by is not None:
        return unset(facts, *VARIABLES)
    # Whether ~/.aws is hidden is decided when a process starts.
    again = f" Or: {restart(facts)}" if facts.get("JUPYTER_WB_AWS_ROLE") else ""
    return f"{_rename(profile, facts.profiles)}{again}"


def _rename(profile: Profile, profiles: Profiles) -> str:
    changes = [
        f"{line} from [{section}] to {'[profile personal]' if line.path == profiles.config else '[personal]'}"
        for line, section in profile.headers
    ]
    return f"Change the line {' and '.join(changes)}, and name it where you need it: --profile personal."


def _chosen_by(facts: Facts) -> str | None:
    return next((name for name in VARIABLES if name in facts.environment), None)


def _choice(facts: Facts) -> Iterator[Finding]:
    set_ = {name: facts.environment[name] for name in VARIABLES if name in facts.environment}
    if len(set(set_.values())) == 2:
        yield new_finding(
            "profiles_differ",
            f"AWS_PROFILE is {printable(set_['AWS_PROFILE'])!r} and AWS_DEFAULT_PROFILE is"
            f" {printable(set_['AWS_DEFAULT_PROFILE'])!r}. boto3 uses the second, other SDKs the first.",
            unset(facts, *VARIABLES),
        )
    for variable, name in set_.items():
        if not name:
            yield new_finding(
                "profile_empty",
                f"{variable} is empty: boto3 and the aws command look for a profile without a name, and fail.",
                unset(facts, variable),
            )
        elif name not in facts.profiles.by_name:
            files = " and ".join(
                str(p) for p in (facts.profiles.config, facts.profiles.credentials) if p
            )
            yield new_finding(
                "profile_missing",
                f"{variable} names the profile {printable(name)!r}, which is not in {files or 'any file'}. boto3 and the aws"
                " command fail (ProfileNotFound).",
                unset(facts, variable),
            )


def _files(facts: Facts) -> Iterator[Finding]:
    for variable in profile_paths.VARIABLES:
        path = profile_paths.boto3_path(facts.environment, variable)
        if path and not path.startswith("/"):
            yield new_finding(
                "profile_path_relative",
                RELATIVE.format(variable, path),
                unset(facts, variable) if facts.get(variable) else "",
            )
    for broken in facts.profiles.broken:
        if broken.problem == "too_long":
            yield _not_read(broken)
            continue
        yield new_finding(
            "profile_file_broken",
            f"{_why(broken)}. boto3 and the aws command fail when they read it."
            if broken.reason
            else f"{_why(broken)}. Some SDKs hang or fail on it.",
            _repair(broken),
        )
    for file in facts.profiles.unreadable:
        yield new_finding(
            "profile_file_unreadable",
            f"{file} can't be read: you lack the permission, or its links form a loop. SDKs ignore the file, or fail.",
            f"Run: ls -ld {shlex.quote(str(file.parent))} {shlex.quote(str(file))}",
        )


def _not_read(broken: BrokenFile) -> Finding:
    return new_finding(
        "profile_file_unreadable",
        f"{broken.line} is longer than {MAX_SIZE // 2**20} MiB, so the doctor did not check what in it overrides a role.",
        _repair(broken),
    )


def _why(broken: BrokenFile) -> str:
    what = NOT_A_FILE.get(broken.problem or "", broken.reason)
    return f"{broken.line} can't be parsed as a profile file: {what}"


def _repair(broken: BrokenFile) -> str:
    path = shlex.quote(str(broken.line.path))
    if broken.problem:
        return f"Move it away: mv {path} {path}.old"
    if "byte order mark" in broken.reason:
        return f"Save it as UTF-8 without a byte order mark, for example: sed -i '1s/^\\xef\\xbb\\xbf//' {path}"
    utf_16 = "UTF-16" in broken.reason
    if utf_16 or "a byte in it" in broken.reason:
        encoding = "UTF-16" if utf_16 else "ISO-8859-1"
        return f"Save it as UTF-8, for example: iconv -f {encoding} -t UTF-8 {path} > {path}.new && mv {path}.new {path}"
    if broken.line.number:
        return f"Correct or remove line {broken.line.number} of {path}."
    return f"Correct {path}."


def _settings(facts: Facts, profile: Profile) -> Iterator[Finding]:
    """Check settings that matter with any credentials."""
    for key, reason in invalid_settings(profile.values, profile.services, facts.environment):
        line = profile.lines[key]
        yield new_finding(
            "profile_setting_unusable",
            f"`{key}` of [{profile.name}] ({line}) {reason}. boto3 or another SDK fails on it, with any credentials.",
            f"Correct or remove line {line.number} of {line.path}.",
        )
    if not facts.by_endpoint and (
        by := foreign_sts_setting(profile.values, profile.services, facts.environment)
    ):
        yield _endpoint(profile, by)
    only = (profile.line_by_line.keys() - profile.values.keys()) & CONFLICTING_KEYS
    for name in sorted(only):
        line = profile.line_by_line[name]
        yield new_finding(
            "profile_read_differently",
            f"{line}: to boto3, `{name}` is not a setting of [default], because the line or its header is indented. To the"
            " SDK for JavaScript it is, and it signs with these credentials.",
            f"Correct or remove line {line.number} of {line.path}.",
        )


def _endpoint(profile: Profile, by: str) -> Finding:
    line, url = profile.lines[by], without_secrets(profile.sts_endpoint or "")
    remove = f"Remove line {line.number} of {line.path}"
    if by == IGNORES:
        return new_finding(
            "profile_endpoint",
            f"`{by}` of [{profile.name}] ({line}) makes boto3 and the aws command ignore the endpoints that the role's"
            " environment names. They send the web identity token to AWS's STS.",
            f"{remove}.",
        )
    return new_finding(
        "profile_endpoint",
        f"`{by}` of [{profile.name}] ({line}) sends the web identity token to {printable(url)} instead of AWS's STS.",
        f"{remove}, or move it to the section of the service that it is for.",
    )


def _hidden(facts: Facts, own: Profiles) -> Iterator[Finding]:
    """Report what is wrong with the user's own files, which are hidden here."""
    here = "It has no effect here, because your own ~/.aws files are hidden."
    files = {"AWS_CONFIG_FILE": own.config, "AWS_SHARED_CREDENTIALS_FILE": own.credentials}
    for variable, path in files.items():
        if path is not None and not path.is_absolute():
            yield new_finding(
                "profile_path_relative",
                f"{RELATIVE.format(variable, path)} {here}",
                f"Set {variable} to the absolute path of the file, or remove it.",
                severity=Severity.INFO,
            )
    for broken in own.broken:
        if broken.problem == "too_long":
            yield replace(_not_read(broken), sdks=(), severity=Severity.INFO)
            continue
        yield new_finding(
            "profile_file_broken",
            f"{_why(broken)}. {here}",
            _repair(broken),
            sdks=(),
            severity=Severity.INFO,
        )
    default = own.by_name.get("default")
    if default is None:
        return
    for code, key, what in kinds(default):
        yield new_finding(
            code,
            f"[default] {what}: `{key}`, {default.lines.get(key)}. {here}",
            _rename(default, own),
            sdks=(),
            severity=Severity.INFO,
        )
    for finding in _settings(facts, default):
        yield replace(finding, sdks=(), severity=Severity.INFO, message=f"{finding.message} {here}")


def _others(facts: Facts) -> Iterator[Finding]:
    named = [
        name for name in facts.profiles.by_name if name not in {"default", facts.chosen_profile}
    ]
    if named and facts.has_role:
        listed = ", ".join(map(printable, sorted(named)[:MAX_NAMED])) + (
            ", …" * (len(named) > MAX_NAMED)
        )
        yield new_finding(
            "named_profiles",
            f"Code may name other profiles ({listed}). boto3.Session(profile_name=…) and aws --profile use those instead"
            " of the role, and of keys in the environment.",
            "In code that needs the role, use boto3.Session() without a profile_name.",
        )
    hidden = [
        name for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE") if facts.get(name)
    ]
    if hidden:
        yield new_finding(
            "files_set_aside",
            f"Your own ~/.aws files are hidden here: {' and '.join(hidden)} {'names' if len(hidden) == 1 else 'name'} other"
            f" files ({facts.get(hidden[0])}). {_reason(facts)}",
        )


def _reason(facts: Facts) -> str:
    """Return why the server hides the user's files, if it says so."""
    notices = (notice for session in facts.role_sessions for notice in session.get("notices") or ())
    texts = (n["message"] for n in notices if n["code"] == "own_aws_files_set_aside")
    return next(iter(texts), "Your profiles can't be used.")
