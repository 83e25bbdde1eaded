"""What can go wrong in the hub service, besides what `jupyter_wb_aws.errors` has."""

from __future__ import annotations

from jupyter_wb_aws.base_error import WbAwsError


class KeysUnavailable(WbAwsError):
    """The hub service has no key that it may sign with."""

    code = "keys_unavailable"
    status = 503
    title = "The hub service has no key to sign tokens with"
    hint = "Let your administrator know that the hub service's keys can't be used."


class KeysReadOnly(WbAwsError):
    """The keys are where the hub service can't write, so that it can't rotate them."""

    code = "keys_read_only"
    status = 409
    title = "The hub service can't change its keys"
    hint = "Change them where they come from, such as a Secret."


class RotationRefused(WbAwsError):
    """The keys can't be rotated now."""

    code = "rotation_refused"
    status = 503
    title = "The keys can't be rotated now"
    hint = "Mend what is named, and rotate again."


class UnknownKey(WbAwsError):
    """There is no key with this id."""

    code = "unknown_key"
    status = 404
    title = "There is no such key"
    hint = "`GET keys` lists the keys that are published."


class FileNotWritten(WbAwsError):
    """A file that a command was to make can't be written."""

    code = "file_not_written"
    title = "The file can't be written"
    hint = "Choose another folder, or free some disk space."
