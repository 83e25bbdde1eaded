"""What can go wrong in the hub service, besides what `jupyter_wb_aws.errors` has."""

from __future__ import annotations

from jupyter_wb_aws.base_error import WbAwsError


class KeysUnavailable(WbAwsError):
    """The hub service has no key that it may sign with."""

    code = "keys_unavailable"
    status = 503
    title = "The hub service has no key to sign tokens with"
    hint = "Let your administrator know that the hub service's keys can't be used."
