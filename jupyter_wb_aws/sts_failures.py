"""What AWS STS can fail with; import these from `errors`."""

from __future__ import annotations

from jupyter_wb_aws.base_error import WbAwsError


class Throttled(WbAwsError):
    """STS asked us to slow down."""

    code = "throttled"
    status = 503
    title = "AWS is asking for fewer requests"
    hint = "Wait a moment, then try again."


class StsUnavailable(WbAwsError):
    """STS can't be reached, or says that it is down."""

    code = "sts_unavailable"
    status = 503
    title = "AWS STS can't be reached"
    hint = "Check the network connection, then try again."


class StsBadAnswer(WbAwsError):
    """STS's answer can't be understood."""

    code = "sts_bad_answer"
    status = 502
    title = "The answer of AWS STS can't be used"
    hint = "Try again. If it still fails, contact your administrator."


class StsRejected(WbAwsError):
    """STS refused the request for another reason."""

    code = "sts_rejected"
    status = 502
    title = "AWS STS rejected the request"
    hint = "Contact your administrator; trying again won't help."


class StsTimeout(WbAwsError):
    """STS did not answer within the time a user should wait."""

    code = "timeout"
    status = 504
    title = "No answer in time"
    hint = "Try again. If it still fails, contact your administrator."
