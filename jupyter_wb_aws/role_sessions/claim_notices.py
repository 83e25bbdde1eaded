"""Which claims of the user's token can't be used; logged once each time that changes."""

from __future__ import annotations

import logging

from jupyter_wb_aws.identity.claim_problems import ClaimProblem, claim_problems
from jupyter_wb_aws.identity.token_cache import TokenCache
from jupyter_wb_aws.roles.role_catalogue import RoleCatalogue

log = logging.getLogger(__name__)


class ClaimNotices:
    """What an administrator should know of the current token's claims."""

    def __init__(self, token_cache: TokenCache, catalogue: RoleCatalogue) -> None:
        self._token_cache = token_cache
        self._catalogue = catalogue
        self._judged: tuple[object, object] = (None, None)
        self._found: list[ClaimProblem] = []
        self._logged: list[ClaimProblem] = []

    def log_new(self) -> None:
        """Log what is wrong with the current token's claims, and was not with the one before."""
        for problem in self.current():
            if problem not in self._logged:
                log.warning("%s (%s)", problem.message, problem.code)
        self._logged = self._found

    def current(self) -> list[ClaimProblem]:
        """Return what is wrong with the current token's claims."""
        token, catalogue = self._token_cache.status(None).token, self._catalogue.last_good
        if token is None:
            return []
        if self._judged == (token, catalogue):  # both are compared by identity
            return self._found
        source = self._token_cache.source
        groups = catalogue.groups_in_rules() if catalogue else frozenset[str]()
        found = claim_problems(token.claims, source.name_claim, source.groups_claim, groups)
        self._judged, self._found = (token, catalogue), found
        return found
