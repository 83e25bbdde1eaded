"""Every code that the doctor has: how bad it is, the SDKs that it hits, and what it means.

docs/doctor.md holds this table. Which SDKs: measured, with the web identity variables set and one
thing more (docs/decisions/0003-environment.md); Rust is by its documentation.
"""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_wb_aws.doctor.finding import Finding, Severity

# boto3 stands for botocore, aiobotocore and s3fs, too; aws is the command, versions 1 and 2.
BOTO3, AWS, JS, RUST = "boto3", "aws", "JavaScript", "Rust"
R = "R"  # paws, and whatever else reads R's environment
PYARROW, DUCKDB = "pyarrow", "duckdb"
POLARS, DELTALAKE, RCLONE = "polars", "deltalake", "rclone"
ALL = (BOTO3, AWS, JS, PYARROW, POLARS, DELTALAKE, RCLONE, DUCKDB)
BOTO = (BOTO3, AWS)
NONE: tuple[str, ...] = ()
ERROR, WARNING, INFO = Severity


@dataclass(frozen=True, slots=True)
class Code:
    """What a code stands for."""

    severity: Severity
    sdks: tuple[str, ...]
    meaning: str


CODES: dict[str, Code] = {
    # --- Keys and the like in the environment
    "static_keys": Code(
        ERROR, ALL, "An access key in the environment signs in place of the role."
    ),
    "static_keys_half": Code(
        ERROR, BOTO, "One of the two variables of an access key is set, the other is not."
    ),
    "static_keys_empty": Code(
        ERROR, (DELTALAKE,), "A variable of an access key is set to nothing, not removed."
    ),
    "session_token_alone": Code(
        WARNING, NONE, "A session token is set without the access key that it belongs to."
    ),
    "container_credentials": Code(
        ERROR, (DUCKDB,), "The container's own credentials are offered beside the role."
    ),
    "bearer_token": Code(
        ERROR, (BOTO3, AWS, JS), "An API key for one service is sent in place of a signature."
    ),
    "last_resort_files": Code(
        INFO, NONE, "A file with keys is named, where boto3 looks when it found nothing else."
    ),
    "metadata_not_disabled": Code(
        WARNING,
        (POLARS, DELTALAKE),
        "The machine's role is shut out, but not for SDKs that don't know the variable.",
    ),
    # --- The role's variables
    "no_role": Code(ERROR, ALL, "The process was started without a role session."),
    "role_without_token": Code(
        ERROR, ALL, "A role's ARN is set without a token file, so no SDK uses it."
    ),
    "token_without_role": Code(
        ERROR, ALL, "A token file is set without a role; SDKs fail, or go on unsigned."
    ),
    "role_arn_malformed": Code(ERROR, ALL, "`AWS_ROLE_ARN` is no ARN of an IAM role."),
    "session_name_unfit": Code(ERROR, ALL, "`AWS_ROLE_SESSION_NAME` is none that STS takes."),
    "session_name_missing": Code(
        WARNING, (AWS,), "Without a session name, `aws` may reuse another user's cached credentials."
    ),
    # --- Profiles and files
    "profile_empty": Code(ERROR, BOTO, "A profile is named, and the name is empty."),
    "profile_missing": Code(ERROR, BOTO, "The profile that is named stands in no file."),
    "profiles_differ": Code(
        WARNING, ALL, "`AWS_PROFILE` and `AWS_DEFAULT_PROFILE` name different profiles."
    ),
    "profile_static_keys": Code(
        ERROR, (JS, PYARROW, DUCKDB, RUST), "The profile's access key wins over the role."
    ),
    "profile_credential_process": Code(
        ERROR, (JS, PYARROW, DUCKDB, RUST), "The profile's `credential_process` wins over the role."
    ),
    "profile_assumes_role": Code(
        ERROR,
        (BOTO3, AWS, JS, DUCKDB, RUST),
        "The profile's own `role_arn` wins over the role.",
    ),
    "profile_web_identity": Code(
        ERROR,
        (JS, PYARROW, DUCKDB, RUST),
        "The profile's own role and token file win; pyarrow ends with SIGABRT.",
    ),
    "profile_sso": Code(ERROR, (JS, RUST), "The profile's `sso_` settings come before the role."),
    "profile_login": Code(ERROR, (JS,), "The profile's `login_session` comes before the role."),
    "renviron": Code(
        WARNING, (R,), "`~/.Renviron` sets AWS variables, which win over the role's in R."
    ),
    "profile_file_broken": Code(ERROR, BOTO, "A profile file can't be parsed."),
    "profile_path_relative": Code(
        WARNING, NONE, "A variable names a profile file by a relative path."
    ),
    "profile_setting_unusable": Code(
        ERROR, BOTO, "A setting of the profile makes SDKs fail, with any credentials."
    ),
    "profile_endpoint": Code(
        ERROR, (BOTO3, AWS, JS), "The profile names another address than AWS's for STS."
    ),
    "profile_read_differently": Code(
        ERROR, (JS,), "SDKs that read line by line find credentials in `[default]`, boto3 does not."
    ),
    "profile_file_unreadable": Code(WARNING, NONE, "A profile file is there and can't be read."),
    "named_profiles": Code(
        INFO, NONE, "A profile named in code or by `--profile` switches the role off."
    ),
    "files_set_aside": Code(INFO, NONE, "The user's own `~/.aws` files are not read here."),
    # --- The token file
    "token_file_missing": Code(ERROR, ALL, "There is no token file; pyarrow goes on unsigned."),
    "token_file_unreadable": Code(ERROR, ALL, "The token file can't be read."),
    "token_file_relative": Code(
        WARNING, ALL, "The token file's path is relative, or has a `~` that no SDK expands."
    ),
    "token_file_empty": Code(ERROR, ALL, "The token file is empty."),
    "token_file_newline": Code(
        ERROR, ALL, "Blanks or a newline stand around the token; SDKs send them too."
    ),
    "token_file_open": Code(
        WARNING, NONE, "Others may read the token file, and with it be every role of the user."
    ),
    "token_malformed": Code(ERROR, ALL, "What is in the token file is no usable token."),
    "token_expired": Code(ERROR, ALL, "The token has expired."),
    "token_expires_soon": Code(WARNING, ALL, "The token expires within a minute."),
    "token_not_yet": Code(ERROR, ALL, "The token is not valid yet, by this machine's clock."),
    "token_unfit": Code(
        WARNING, ALL, "The token's issuer, audience or another claim is none that IAM takes, or hardly."
    ),
    "token_of_another": Code(
        WARNING, ALL, "The token's issuer, audience or user is not the one that the server has now."
    ),
    # --- Regions
    "region_missing": Code(
        ERROR, (JS, PYARROW), "No region is set: JavaScript fails, pyarrow goes on unsigned."
    ),
    "region_not_for_boto3": Code(
        ERROR, (BOTO3, AWS), "Only `AWS_REGION` is set; boto3 and version 1 of `aws` ignore it."
    ),
    "region_not_for_javascript": Code(
        ERROR, (JS,), "Only `AWS_DEFAULT_REGION` is set; the SDK for JavaScript ignores it."
    ),
    "region_in_file_only": Code(
        WARNING, (POLARS, DELTALAKE), "The region stands in a profile file, which some SDKs never read."
    ),
    "regions_differ": Code(WARNING, ALL, "The two region variables name different regions."),
    "region_malformed": Code(ERROR, ALL, "A region variable holds no region."),
    "sts_global": Code(
        WARNING, BOTO, "`AWS_STS_REGIONAL_ENDPOINTS=legacy` sends calls to the global STS."
    ),
    # --- Endpoints, proxies, certificates
    "endpoint_malformed": Code(
        ERROR, (BOTO3, AWS, JS), "An endpoint variable holds no http(s) URL."
    ),
    "endpoint_metadata": Code(
        ERROR, ALL, "An address leads to the machine's metadata service; nothing was called there."
    ),
    "sts_endpoint_http": Code(
        ERROR, (PYARROW, POLARS, DELTALAKE), "`AWS_ENDPOINT_URL_STS` is an http:// URL."
    ),
    "sts_endpoint_set": Code(
        ERROR, (PYARROW,), "`AWS_ENDPOINT_URL_STS` is set: pyarrow goes on unsigned."
    ),
    "endpoint_set": Code(
        INFO, NONE, "Services are asked at another address; older SDKs ask AWS itself."
    ),
    "endpoint_ignored": Code(
        WARNING, (BOTO3, AWS, JS), "Endpoint variables are set, and SDKs are told to ignore them."
    ),
    "proxy_malformed": Code(ERROR, BOTO, "A proxy variable holds no URL of a proxy."),
    "proxy_for_loopback": Code(
        ERROR, BOTO, "An address of this machine is asked through the proxy."
    ),
    "proxies_differ": Code(WARNING, ALL, "A proxy variable in capitals differs from the other."),
    "proxy_used": Code(INFO, NONE, "AWS is reached through a proxy."),
    "ca_bundle_missing": Code(ERROR, NONE, "A CA bundle is named that is not there."),
    "ca_bundle_broken": Code(ERROR, NONE, "A CA bundle holds no certificate, or can't be read."),
    "ca_bundle_for_some": Code(
        INFO, NONE, "A CA bundle is named for boto3 only; other SDKs look elsewhere."
    ),
    # --- Caches
    "cli_cache_alive": Code(
        INFO, (AWS,), "The `aws` command's cache has credentials of a role session that has ended."
    ),
    "cli_cache_old": Code(INFO, NONE, "The `aws` command's cache has credentials that expired."),
    "login_cache": Code(INFO, NONE, "`aws login` has left a sign-in that renews itself."),
    # --- The network
    "sts_unreachable": Code(ERROR, ALL, "STS can't be reached."),
    "sts_certificate": Code(ERROR, ALL, "The certificate of STS is not trusted."),
    "clock_skewed": Code(
        ERROR, ALL, "This machine's clock is so far off that AWS refuses signatures."
    ),
    "clock_off": Code(WARNING, ALL, "This machine's clock is off; tokens are good by AWS's."),
    "idp_unreachable": Code(
        WARNING, NONE, "The identity provider can't be reached from this process."
    ),
    "idp_issuer_differs": Code(
        WARNING, ALL, "The identity provider says that it is another issuer than the token's."
    ),
    # --- The server
    "server_not_found": Code(INFO, NONE, "No Jupyter server was asked."),
    "server_unreachable": Code(WARNING, NONE, "The Jupyter server can't be asked."),
    "server_not_set_up": Code(INFO, NONE, "AWS roles are not set up on the Jupyter server."),
    "session_over": Code(ERROR, ALL, "The process's role session has ended."),
    "session_expired": Code(ERROR, ALL, "The role session has no token that works."),
    "session_degraded": Code(WARNING, ALL, "A new token can't be had at the moment."),
    "sign_in_required": Code(ERROR, ALL, "The user has to sign in again."),
    "other_default": Code(INFO, NONE, "What starts next gets another role than this process has."),
    "token_source_failing": Code(WARNING, NONE, "The server gets no new token."),
    "roles_file_entry": Code(WARNING, NONE, "An entry of the roles file can't be used."),
    "roles_file_broken": Code(WARNING, NONE, "The roles file can't be used as it is now."),
    "token_dir_fallback": Code(
        INFO, NONE, "Token files are kept elsewhere than the environment says, since that can't be used."
    ),
    "token_dir_exposed": Code(WARNING, NONE, "Others can write to a folder above the token files."),
    "store_dir_exposed": Code(WARNING, NONE, "Others can write to a folder above the server's records."),
    "last_run_unknown": Code(WARNING, NONE, "The disk with the server's records does not answer."),
    # --- The real call
    "no_credentials": Code(ERROR, BOTO, "boto3's chain found no credentials at all."),
    "signs_as_other": Code(ERROR, BOTO, "boto3 works as somebody else than the role."),
    "call_failed": Code(ERROR, BOTO, "A real call with boto3's own chain failed."),
    "call_slow": Code(ERROR, BOTO, "A real call with boto3's own chain did not end in time."),
    "call_not_made": Code(
        WARNING, NONE, "The real call was not made: boto3 is missing, the machine would be asked, or a sign-in renewed."
    ),
    "caller_unknown": Code(
        INFO, NONE, "The store's STS does not say whose credentials these are, and no call was made with them."
    ),
    "short_credentials": Code(
        WARNING, BOTO, "Credentials live so shortly that boto3 renews them at nearly every call."
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
    """Make a finding; what is not said is the code's own."""
    known = CODES[code]
    return Finding(
        code,
        severity or known.severity,
        known.sdks if sdks is None else sdks,
        message,
        remedy,
        admin_hint,
    )
