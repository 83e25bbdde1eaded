"""Whether a token is that of the user whose server this is, where the site knows the owner from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_wb_aws.errors import HubUserDiffers
from jupyter_wb_aws.identity.claims import claim_by_path
from jupyter_wb_aws.identity.token import Identity


@dataclass(frozen=True, slots=True)
class ServerOwner:
    """The user whose server this is.

    Args:
        name: the owner's name, in any case.
        claim: the claim of the token to compare it with, or a path; empty for the token's user name and `sub`.
        refuses: whether no role starts with another user's token.
    """

    name: str
    claim: str = ""
    refuses: bool = False

    def difference(self, identity: Identity) -> HubUserDiffers | None:
        """Return how a token's user differs from the owner, or None if they are the same."""
        if self.claim:
            names = [claim_by_path(identity.claims, self.claim)]
        else:
            names = [identity.name, identity.subject]
        if any(isinstance(n, str) and n.casefold() == self.name.casefold() for n in names):
            return None
        return HubUserDiffers(
            f"This server belongs to {self.name!r}, but the web identity token to {identity.name!r}.",
            admin_hint="WbAwsApp.hub_user_claim names the claim that holds the server's owner, and"
            " WbAwsApp.hub_user_differs decides what a difference means.",
        )
