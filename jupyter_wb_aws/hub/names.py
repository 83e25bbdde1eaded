"""The hub's user names in tokens: as part of `sub`, as a tag's value, as source identity. Pure.

A hub takes nearly any text as a user name. In `sub`, everything that IAM's patterns or our own separators could
read as more than a name is percent-encoded, so that two names never become one, and no name matches a pattern
that was written for another. Tags and source identities can't be encoded: they are compared with the plain name
in policies. There, a name that AWS does not take is refused.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from jupyter_wb_aws.base_error import WbAwsError
from jupyter_wb_aws.roles.role import RoleArn
from jupyter_wb_aws.roles.session_tags import SOURCE_IDENTITY_FORM, tag_problem
from jupyter_wb_aws.roles.token_content import USER

ACCOUNT, ROLE = "{account}", "{role}"
# Characters of `sub`; AssumeRoleWithWebIdentity's own limits on the subject (botocore, sts service model).
MIN_SUBJECT_LENGTH, MAX_SUBJECT_LENGTH = 6, 255
# What is not encoded besides letters, digits, `_`, `.` and `-`.
PLAIN = "@+=,"
FIELD = re.compile(r"\{[^{}]*\}")
# Around the fields: what a name has, and `:` and `/`, which no encoded name has.
TEXT = re.compile(r"[A-Za-z0-9_.@+=,:/-]*")
MAX_SHOWN = 80


class NameNotAllowed(WbAwsError):
    """AWS does not take the user's name where the hub service is set up to put it."""

    code = "name_not_allowed"
    status = 403
    title = "Your user name can't be used with AWS"
    hint = "Contact your hub's administrator: trying again won't help."


def encoded(user: str) -> str:
    """Percent-encode everything but ``[A-Za-z0-9_.@+=,-]`` (UTF-8).

    Raises:
        NameNotAllowed: if the name is empty or is not Unicode text.
    """
    try:
        text = _quoted(user)
    except UnicodeEncodeError:
        text = ""
    if not text:
        raise NameNotAllowed("This user's name is empty, or is not text.")
    return text


def subject_template_problem(template: str) -> str | None:
    """Return a sentence that says what is wrong with a template for `sub`; None if nothing is.

    What it makes of two users, or of two roles, must never be equal. So its fields are separated by a character
    that none of them can have.
    """
    fields, texts = FIELD.findall(template), FIELD.split(template)
    if unknown := sorted(set(fields) - {USER, ACCOUNT, ROLE}):
        return (
            f"It has the unknown field {unknown[0][:MAX_SHOWN]} (known: {USER}, {ACCOUNT}, {ROLE})."
        )
    if fields.count(USER) != 1 or len(set(fields)) < len(fields):
        return f"It must have {USER} once, and no field twice."
    if not all(TEXT.fullmatch(text) for text in texts):
        return "Besides its fields, it may have letters, digits and the characters _.@+=,:/- only."
    if not all(":" in text or "/" in text for text in texts[1:-1]):
        return "Between two fields there must be a colon or a slash, so that no user's name can reach into a role's."
    return None


def subject(template: str, user: str, role: RoleArn) -> str:
    """Return the `sub` of a user's token for a role.

    Args:
        template: one without a `subject_template_problem`.
        user: the hub's name of the user.
        role: the role that the token is for.

    Raises:
        NameNotAllowed: if `sub` has fewer or more characters than AWS takes.
    """
    text = _filled(template, encoded(user), role)
    if not MIN_SUBJECT_LENGTH <= len(text) <= MAX_SUBJECT_LENGTH:
        raise NameNotAllowed(
            f"With the user name {_shown(user)}, the subject (`sub`) of the token has {len(text)} characters; AWS"
            f" accepts {MIN_SUBJECT_LENGTH} to {MAX_SUBJECT_LENGTH}.",
            admin_hint="`subject_template` makes the subject: change it, or rename the user.",
        )
    return text


def subject_pattern(template: str, role: RoleArn) -> str:
    """Return the pattern for `StringLike` that `sub` matches in tokens of any user for this role, and in no others.

    Args:
        template: one without a `subject_template_problem`.
        role: the role.
    """
    return _filled(template, "*", role)


def binds_role(template: str) -> bool:
    """Whether `sub` names the role, so that a policy can tell by it which role a token is for."""
    return ACCOUNT in template and ROLE in template


def tag_value(value: str, user: str, key: str) -> str:
    """Return a tag's value, with the user's name in the place of ``{user}``.

    Args:
        value: as it is in the roles file.
        user: the hub's name of the user.
        key: the tag's name.

    Raises:
        NameNotAllowed: if AWS does not take it.
    """
    text = value.replace(USER, user)
    if problem := tag_problem(key, text):
        raise NameNotAllowed(
            f"AWS does not accept the user name {_shown(user)} in the session tag `{key[:MAX_SHOWN]}`: {problem}.",
            admin_hint="The roles file puts user names into this tag: take it out there, or rename the user.",
        )
    return text


def source_identity(template: str, user: str) -> str:
    """Return the source identity of a user's tokens.

    Args:
        template: as it is in the roles file, with ``{user}``.
        user: the hub's name of the user.

    Raises:
        NameNotAllowed: if AWS does not take it.
    """
    text = template.replace(USER, user)
    if not SOURCE_IDENTITY_FORM.fullmatch(text):
        raise NameNotAllowed(
            f"AWS does not accept the user name {_shown(user)} as a source identity, which has 2 to 256 letters,"
            " digits and _+=,.@-",
            admin_hint="The roles file sets `source_identity`: take it out there, or rename the user.",
        )
    return text


def _filled(template: str, user: str, role: RoleArn) -> str:
    # A store may have two roles of one name, in different paths.
    name = _quoted(f"{role.path}{role.name}".removeprefix("/"))
    return template.replace(ACCOUNT, role.account_id).replace(ROLE, name).replace(USER, user)


def _quoted(text: str) -> str:
    # `quote` takes `~` as plain, and lets nobody change that.
    return quote(text, safe=PLAIN).replace("~", "%7E")


def _shown(user: str) -> str:
    return ascii(user) if len(user) <= MAX_SHOWN else f"{user[:MAX_SHOWN]!a}…"
