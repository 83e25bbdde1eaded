"""Every code of the doctor: its severity, the SDKs that it affects, and what it means.

docs/doctor.md holds this table. Which SDKs are affected was measured with the web identity variables and
one more setting (docs/decisions/0003-environment.md); for Rust it follows the SDK's documentation.
"""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_wb_aws.doctor.finding import Finding, Severity

# boto3 includes botocore, aiobotocore and s3fs; aws is the command, versions 1 and 2.
BOTO3, AWS, JS, RUST = "boto3", "aws", "JavaScript", "Rust"
R = "R"  # paws, and anything else that reads R's environment
PYARROW, DUCKDB = "pyarrow", "duckdb"
POLARS, DELTALAKE, RCLONE = "polars", "deltalake", "rclone"
ALL = (BOTO3, AWS, JS, PYARROW, POLARS, DELTALAKE, RCLONE, DUCKDB)
BOTO = (BOTO3, AWS)
NONE: tuple[str, ...] = ()
ERROR, WARNING, INFO = Severity


@dataclass(frozen=True, slots=True)
class Code:
    """The meaning of a code."""

    severity: Severity
    sdks: tuple[str, ...]
    meaning: str


# Which SDKs prefer what a profile gives to the credential endpoint; measured too, see the same page.
OVERRIDES_ENDPOINT = {
    "profile_static_keys": (BOTO3, AWS, JS, PYARROW, POLARS, DUCKDB, RUST),
    "profile_credential_process": (BOTO3, AWS, JS, PYARROW, DUCKDB, RUST),
    "profile_assumes_role": (BOTO3, AWS, JS, RUST),
    "profile_web_identity": (BOTO3, AWS, JS, PYARROW, RUST),
    "profile_sso": (BOTO3, AWS, JS, RUST),
    "profile_login": (BOTO3, AWS, JS),
}

CODES: dict[str, Code] = {
    # --- Keys and the like in the environment
    "static_keys": Code(
        ERROR, ALL, "An access key in the environment signs in place of the role."
    ),
    "static_keys_half": Code(
        ERROR, BOTO, "Only one of the two variables of an access key is set."
    ),
    "static_keys_empty": Code(
        ERROR, (DELTALAKE,), "A variable of an access key is empty, but not removed."
    ),
    "session_token_alone": Code(
        WARNING, NONE, "A session token is set without its access key."
    ),
    "container_credentials": Code(
        ERROR, (DUCKDB,), "The container offers its own credentials besides the role."
    ),
    "bearer_token": Code(
        ERROR, (BOTO3, AWS, JS), "An API key for one service is sent instead of a signature."
    ),
    "last_resort_files": Code(
        INFO, NONE, "A variable names a file with keys. boto3 reads it as a last resort."
    ),
    "metadata_not_disabled": Code(
        WARNING,
        (POLARS, DELTALAKE),
        "The machine's role is switched off, but some SDKs ignore that variable.",
    ),
    # --- The role's variables
    "no_role": Code(ERROR, ALL, "The process was started without a role session."),
    "role_without_token": Code(
        ERROR, ALL, "A role's ARN is set without a token file, so no SDK uses the role."
    ),
    "token_without_role": Code(
        ERROR, ALL, "A token file is set without a role: SDKs fail, or send unsigned requests."
    ),
    "role_arn_malformed": Code(ERROR, ALL, "`AWS_ROLE_ARN` is not the ARN of an IAM role."),
    "session_name_unfit": Code(ERROR, ALL, "STS does not accept this `AWS_ROLE_SESSION_NAME`."),
    "session_name_missing": Code(
        WARNING, (AWS,), "Without a session name, `aws` may reuse another user's cached credentials."
    ),
    # --- Profiles and files
    "profile_empty": Code(ERROR, BOTO, "A variable names a profile, but the name is empty."),
    "profile_missing": Code(ERROR, BOTO, "A variable names a profile that is in no file."),
    "profiles_differ": Code(
        WARNING, ALL, "`AWS_PROFILE` and `AWS_DEFAULT_PROFILE` name different profiles."
    ),
    "profile_static_keys": Code(
        ERROR, (JS, PYARROW, DUCKDB, RUST), "The profile's access key overrides the role."
    ),
    "profile_credential_process": Code(
        ERROR, (JS, PYARROW, DUCKDB, RUST), "The profile's `credential_process` overrides the role."
    ),
    "profile_assumes_role": Code(
        ERROR,
        (BOTO3, AWS, JS, DUCKDB, RUST),
        "The profile's own `role_arn` overrides the role.",
    ),
    "profile_web_identity": Code(
        ERROR,
        (JS, PYARROW, DUCKDB, RUST),
        "The profile's own role and token file override the role; pyarrow crashes with SIGABRT.",
    ),
    "profile_sso": Code(ERROR, (JS, RUST), "The profile's `sso_` settings override the role."),
    "profile_login": Code(ERROR, (JS,), "The profile's `login_session` overrides the role."),
    "renviron": Code(
        WARNING, (R,), "`~/.Renviron` sets AWS variables, which override the role's in R."
    ),
    "profile_file_broken": Code(ERROR, BOTO, "A profile file can't be parsed."),
    "profile_path_relative": Code(
        WARNING, NONE, "A variable names a profile file by a relative path."
    ),
    "profile_setting_unusable": Code(
        ERROR, BOTO, "A setting of the profile makes SDKs fail with any credentials."
    ),
    "profile_endpoint": Code(
        ERROR, (BOTO3, AWS, JS), "The profile names an STS endpoint that is not AWS's."
    ),
    "profile_read_differently": Code(
        ERROR, (JS,), "SDKs that read line by line find credentials in `[default]`; boto3 does not."
    ),
    "profile_file_unreadable": Code(WARNING, NONE, "A profile file exists but can't be read."),
    "named_profiles": Code(
        INFO, NONE, "A profile named in code or by `--profile` disables the role."
    ),
    "files_set_aside": Code(INFO, NONE, "The user's own `~/.aws` files are hidden here."),
    # --- The token file
    "token_file_missing": Code(ERROR, ALL, "The token file does not exist; pyarrow sends unsigned requests."),
    "token_file_unreadable": Code(ERROR, ALL, "The token file can't be read."),
    "token_file_relative": Code(
        WARNING, ALL, "The token file's path is relative, or starts with a `~` that no SDK expands."
    ),
    "token_file_empty": Code(ERROR, ALL, "The token file is empty."),
    "token_file_newline": Code(
        ERROR, ALL, "The token file has blanks or a newline around the token; SDKs send them too."
    ),
    "token_file_open": Code(
        WARNING, NONE, "Other users can read the token file, and use all of the user's roles with it."
    ),
    "token_malformed": Code(ERROR, ALL, "The token file does not contain a usable token."),
    "token_expired": Code(ERROR, ALL, "The token has expired."),
    "token_expires_soon": Code(WARNING, ALL, "The token expires within a minute."),
    "token_not_yet": Code(ERROR, ALL, "By this machine's clock, the token is not valid yet."),
    "token_unfit": Code(
        WARNING, ALL, "IAM does not accept the token's issuer, audience or another claim, or may not."
    ),
    "token_of_another": Code(
        WARNING, ALL, "The token's issuer, audience or user differs from the server's current one."
    ),
    # --- The credential endpoint
    "container_elsewhere": Code(
        ERROR, ALL, "`AWS_CONTAINER_` variables lead to another place than the server's credential endpoint."
    ),
    "web_identity_beside": Code(
        ERROR, ALL, "The variables of a web identity are set beside the credential endpoint, and override it."
    ),
    "boto2_file": Code(
        ERROR, BOTO, "A file of boto 2 (`~/.boto`) holds a key, which overrides the credential endpoint, or can't be parsed."
    ),
    "endpoint_token_missing": Code(ERROR, ALL, "The endpoint token's file is missing, empty or unreadable."),
    "endpoint_token_newline": Code(
        ERROR, ALL, "The endpoint token's file has blanks or a newline around the token."
    ),
    "endpoint_token_open": Code(
        WARNING, NONE, "Other users can read the endpoint token, and get credentials with it."
    ),
    "endpoint_unreachable": Code(
        ERROR, ALL, "The credential endpoint does not answer: its server was restarted or has ended."
    ),
    "endpoint_refused": Code(
        ERROR, ALL, "The credential endpoint refuses this process; its sentence says why."
    ),
    "endpoint_not_ready": Code(
        WARNING, ALL, "The credential endpoint waits for credentials from AWS STS."
    ),
    "endpoint_proxied": Code(
        ERROR, (POLARS, DELTALAKE), "Requests to the credential endpoint go to a proxy, with the endpoint token."
    ),
    "sdk_too_old": Code(
        ERROR, BOTO, "An SDK is too old to send the endpoint token, and is refused."
    ),
    # --- Regions
    "region_missing": Code(
        ERROR, (JS, PYARROW), "No region is set: JavaScript fails, pyarrow sends unsigned requests."
    ),
    "region_not_for_boto3": Code(
        ERROR, (BOTO3, AWS), "Only `AWS_REGION` is set; boto3 and version 1 of `aws` ignore it."
    ),
    "region_not_for_javascript": Code(
        ERROR, (JS,), "Only `AWS_DEFAULT_REGION` is set; the SDK for JavaScript ignores it."
    ),
    "region_in_file_only": Code(
        WARNING, (POLARS, DELTALAKE), "The region is only in a profile file, which some SDKs never read."
    ),
    "regions_differ": Code(WARNING, ALL, "The two region variables name different regions."),
    "region_malformed": Code(ERROR, ALL, "A region variable does not hold a region."),
    "sts_global": Code(
        WARNING, BOTO, "`AWS_STS_REGIONAL_ENDPOINTS=legacy` sends calls to the global STS."
    ),
    # --- Endpoints, proxies, certificates
    "endpoint_malformed": Code(
        ERROR, (BOTO3, AWS, JS), "An endpoint variable does not hold an http(s) URL."
    ),
    "endpoint_metadata": Code(
        ERROR, ALL, "An address leads to the machine's metadata service. The doctor did not call it."
    ),
    "sts_endpoint_http": Code(
        ERROR, (PYARROW, POLARS, DELTALAKE), "`AWS_ENDPOINT_URL_STS` is an http:// URL."
    ),
    "sts_endpoint_set": Code(
        ERROR, (PYARROW,), "`AWS_ENDPOINT_URL_STS` is set: pyarrow sends unsigned requests."
    ),
    "endpoint_set": Code(
        INFO, NONE, "Services are called at another address; older SDKs call AWS itself."
    ),
    "endpoint_ignored": Code(
        WARNING, (BOTO3, AWS, JS), "Endpoint variables are set, but another variable makes SDKs ignore them."
    ),
    "proxy_malformed": Code(ERROR, BOTO, "A proxy variable does not hold the URL of a proxy."),
    "proxy_for_loopback": Code(
        ERROR, BOTO, "An address of this machine is called through the proxy."
    ),
    "proxies_differ": Code(WARNING, ALL, "A proxy variable in upper case differs from the one in lower case."),
    "proxy_used": Code(INFO, NONE, "AWS is reached through a proxy."),
    "ca_bundle_missing": Code(ERROR, NONE, "A variable names a CA bundle that does not exist."),
    "ca_bundle_broken": Code(ERROR, NONE, "A CA bundle contains no certificate, or can't be read."),
    "ca_bundle_for_some": Code(
        INFO, NONE, "A CA bundle is set for boto3 only; other SDKs read other variables."
    ),
    # --- Caches
    "cli_cache_alive": Code(
        INFO, (AWS,), "The `aws` command's cache has credentials of a role session that has ended."
    ),
    "cli_cache_old": Code(INFO, NONE, "The `aws` command's cache has expired credentials."),
    "login_cache": Code(INFO, NONE, "`aws login` has left a sign-in that refreshes itself."),
    # --- The network
    "sts_unreachable": Code(ERROR, ALL, "STS can't be reached."),
    "sts_certificate": Code(ERROR, ALL, "The certificate of STS is not trusted."),
    "clock_skewed": Code(
        ERROR, ALL, "This machine's clock is so far off that AWS refuses signatures."
    ),
    "clock_off": Code(WARNING, ALL, "This machine's clock is off; AWS judges tokens by its own clock."),
    "idp_unreachable": Code(
        WARNING, NONE, "The identity provider can't be reached from this process."
    ),
    "idp_issuer_differs": Code(
        WARNING, ALL, "The identity provider's issuer differs from the token's."
    ),
    # --- The server
    "server_not_found": Code(INFO, NONE, "No Jupyter server was asked."),
    "server_unreachable": Code(WARNING, NONE, "The Jupyter server did not answer."),
    "server_not_set_up": Code(INFO, NONE, "AWS roles are not set up on the Jupyter server."),
    "session_over": Code(ERROR, ALL, "The process's role session has ended."),
    "session_expired": Code(ERROR, ALL, "The role session has no valid token."),
    "session_degraded": Code(WARNING, ALL, "The token could not be refreshed."),
    "sign_in_required": Code(ERROR, ALL, "The user has to sign in."),
    "other_default": Code(INFO, NONE, "New processes get another role than this process has."),
    "hub_user_differs": Code(WARNING, NONE, "The token's user is not the server's owner on JupyterHub."),
    "token_source_failing": Code(WARNING, NONE, "The server gets no new token."),
    "roles_file_entry": Code(WARNING, NONE, "An entry of the roles file is invalid."),
    "roles_file_broken": Code(WARNING, NONE, "The roles file is invalid."),
    "token_dir_fallback": Code(
        INFO, NONE, "Token files are not kept where the environment says, since that folder can't be used."
    ),
    "token_dir_exposed": Code(WARNING, NONE, "Other users can write to a folder above the token files."),
    "store_dir_exposed": Code(WARNING, NONE, "Other users can write to a folder above the server's records."),
    "last_run_unknown": Code(WARNING, NONE, "The disk with the server's records does not answer."),
    # --- The real call
    "no_credentials": Code(ERROR, BOTO, "boto3's chain found no credentials."),
    "signs_as_other": Code(ERROR, BOTO, "boto3 works as another caller than the role."),
    "call_failed": Code(ERROR, BOTO, "A real call with boto3's own chain failed."),
    "call_slow": Code(ERROR, BOTO, "A real call with boto3's own chain did not finish in time."),
    "call_not_made": Code(
        WARNING, NONE, "The real call was not made: boto3 is missing, or the call would ask the machine's metadata service or refresh a sign-in."
    ),
    "caller_unknown": Code(
        INFO, NONE, "The store's STS does not say whose credentials these are, so no call was made with them."
    ),
    "short_credentials": Code(
        WARNING, BOTO, "Credentials live so briefly that boto3 refreshes them at nearly every call."
    ),
}  # fmt: skip


def new_finding(
    code: str,
    message: str,
    remedy: str = "",
    *,
    sdks: tuple[str, ...] | None = None,
    severity: Severity | None = None,
    admin_hint: str | None = None,
) -> Finding:
    """Make a finding of a code.

    Args:
        code: a key of `CODES`.
        message: what was seen, as sentences; never a secret.
        remedy: the exact command, or the line to change; empty if there is nothing to do.
        sdks: replaces the code's own SDKs.
        severity: replaces the code's own severity.
        admin_hint: what to hand to an administrator.
    """
    known = CODES[code]
    return Finding(
        code,
        severity or known.severity,
        known.sdks if sdks is None else sdks,
        message,
        remedy,
        admin_hint,
    )
