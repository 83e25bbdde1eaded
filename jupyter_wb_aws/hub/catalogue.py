"""The hub service's roles file: a server's, and what goes into the tokens. Every token is checked at reading."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from jupyter_wb_aws.clock import Clock
from jupyter_wb_aws.errors import CatalogueUnavailable, RoleNotAllowed
from jupyter_wb_aws.hub.claims import ClaimSettings
from jupyter_wb_aws.hub.deadline import ROLES_FILE_SECONDS
from jupyter_wb_aws.hub.errors import RolesUnavailable
from jupyter_wb_aws.hub.names import NameNotAllowed, source_identity, subject, tag_value
from jupyter_wb_aws.identity.token import Identity
from jupyter_wb_aws.roles.catalogue import MIN_FILE_AGE, Catalogue, how_to_offer
from jupyter_wb_aws.roles.catalogue_file import CatalogueFile
from jupyter_wb_aws.roles.entry_parser import InvalidCatalogue
from jupyter_wb_aws.roles.role import Role, RoleArn
from jupyter_wb_aws.roles.session_tags import MAX_PACKED_SIZE, MAX_TAGS, packed_size

# Characters of a user name, once encoded, for which every role must leave room. A hub takes up to 255, which no
# `sub` has room for: longer names are refused one by one, when they ask.
LONGEST_USER = 64
LOG_HINT = "The log of the hub service says what is wrong with its roles file."


def open_catalogue(path: Path, clock: Clock, settings: ClaimSettings) -> CatalogueFile:
    """Return the service's roles file, read again when it changes.

    Args:
        path: the file.
        clock: dates the catalogues.
        settings: what the tokens have in common; every role is checked against them.
    """
    return CatalogueFile(path, clock, lambda role: check_tokens(settings, role), ROLES_FILE_SECONDS)


async def current_catalogue(file: CatalogueFile) -> Catalogue:
    """Return the catalogue of the file as it is now, else the last good one.

    Raises:
        RolesUnavailable: if there has never been a good one.
    """
    try:
        return await file.current()
    except CatalogueUnavailable as error:
        # Every user sees this; the service's log names the file and the line.
        raise RolesUnavailable(error.detail, admin_hint=LOG_HINT) from None


async def offered_role(file: CatalogueFile, clock: Clock, identity: Identity, arn: RoleArn) -> Role:
    """Return the role, if it is offered to the user.

    A refusal ends role sessions. So it needs a file that is whole: one that has just changed is read again a moment
    later.

    Args:
        file: the roles file.
        clock: waits for that moment.
        identity: the user.
        arn: the role.

    Raises:
        RoleNotAllowed: if it is not offered.
        RolesUnavailable: if that is not certain.
    """
    catalogue = await current_catalogue(file)
    try:
        return _offered(catalogue, identity, arn)
    except RoleNotAllowed:
        if not file.modified_within(MIN_FILE_AGE):
            raise
    await clock.sleep(MIN_FILE_AGE)
    catalogue = await current_catalogue(file)
    try:
        return _offered(catalogue, identity, arn)
    except RoleNotAllowed:
        if not file.modified_within(MIN_FILE_AGE):
            raise
    raise RolesUnavailable(
        "The roles file is being changed, and may not be complete.",
        hint="Try again in a few seconds.",
    )


def _offered(catalogue: Catalogue, identity: Identity, arn: RoleArn) -> Role:
    """Return the role, if it is offered to the user.

    Raises:
        RoleNotAllowed: if it isn't.
        RolesUnavailable: if that is not certain, because an entry of the roles file has an error: a typo withdraws
            no role from those who have it.
    """
    try:
        return catalogue.get_offered(identity, arn)
    except RoleNotAllowed as refused:
        if not catalogue.may_continue(identity, arn):
            refused.admin_hint = how_to_offer(identity, of_hub=True)
            raise
        raise RolesUnavailable(refused.detail) from None


def hub_identity(issuer: str, user: str, groups: Collection[str]) -> Identity:
    """Return a user of the hub, for the rules of the roles file.

    `users` and `names` in a rule are both compared with the hub's name of the user. Of the claims, there are
    `groups` and `preferred_username`.

    Args:
        issuer: the service's.
        user: the hub's name of the user.
        groups: the user's groups on the hub.
    """
    claims = {"preferred_username": user, "groups": list(groups)}
    return Identity(issuer, user, user, tuple(groups), claims)


def check_tokens(settings: ClaimSettings, role: Role) -> None:
    """Check that every user with a name of up to `LONGEST_USER` characters can have a token for a role.

    Args:
        settings: what the tokens have in common.
        role: as the roles file describes it.

    Raises:
        InvalidCatalogue: if AWS would not take the token of some user.
    """
    content, user = role.token_content, "x" * LONGEST_USER
    try:
        subject(settings.subject_template, user, role.arn)
        if content.source_identity is not None:
            source_identity(content.source_identity, user)
        for key, value in content.all_tags():
            tag_value(value, user, key)
    except NameNotAllowed as refused:
        raise InvalidCatalogue(
            f"the role {role.arn.name} has no room for user names of {LONGEST_USER} characters: {refused}"
        ) from None
    _check_sum_of_tags(role, user)


def _check_sum_of_tags(role: Role, user: str) -> None:
    """Check the tags of a user for whom every rule matches, each with its longest value."""
    own = {
        key.lower(): tag_value(value, user, key) for key, value in role.token_content.tags.items()
    }
    longest = dict(own)
    for rule in role.token_content.tag_rules:
        for key, value in rule.tags.items():
            name, text = key.lower(), tag_value(value, user, key)
            if name not in own:
                longest[name] = max(text, longest.get(name, ""), key=len)
    where = f"tokens for the role {role.arn.name} may have"
    if len(longest) > MAX_TAGS:
        raise InvalidCatalogue(f"{where} {len(longest)} session tags; AWS allows {MAX_TAGS}")
    if (size := packed_size(longest)) > MAX_PACKED_SIZE:
        raise InvalidCatalogue(
            f"{where} session tags of {size} bytes, with a user name of {LONGEST_USER} characters; AWS has room for"
            f" about {MAX_PACKED_SIZE}"
        )
