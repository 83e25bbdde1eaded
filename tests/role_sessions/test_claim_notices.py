"""Claims that can't be used: logged once, and known while the token is."""

from __future__ import annotations

from tests.role_sessions.support import eventually

ROLES = """
[[roles]]
arn = "arn:aws:iam::111122223333:role/analyst"
allow = [{ groups = ["analysts"] }]
"""


def warnings(caplog):
    return [r.getMessage() for r in caplog.records if "groups_claim_unusable" in r.getMessage()]


def codes(manager):
    return [problem.code for problem in manager.claim_notices.current()]


async def test_a_groups_claim_that_cannot_be_used_is_logged_once(site, caplog):
    async with site.server(site.fresh(groups={"names": ["analysts"]})) as manager:
        for _ in range(3):
            await manager.rights.offered_roles()
            await manager.token_cache.refresh()
    assert len(warnings(caplog)) == 1
    assert "`groups.names`" in warnings(caplog)[0]


async def test_a_token_of_a_running_role_session_is_looked_at_without_anybody_asking(site, caplog):
    tokens = site.fresh()
    async with site.server(tokens) as manager:
        await manager.starter.start("arn:aws:iam::111122223333:role/analyst")
        tokens.answers = site.fresh(groups=[{"id": "1"}]).answers
        await manager.token_cache.refresh()
        manager.sessions.changed.set()
        await eventually(lambda: warnings(caplog))


async def test_a_notice_goes_when_the_claim_is_mended(site):
    tokens = site.fresh(groups=[{"id": "1"}])
    async with site.server(tokens) as manager:
        assert codes(manager) == []  # no token yet
        await manager.rights.offered_roles()
        assert codes(manager) == ["groups_claim_unusable"]
        tokens.answers = site.fresh(groups=["analysts"]).answers
        await manager.token_cache.refresh()
        assert codes(manager) == []


async def test_groups_are_missed_only_where_rules_name_some(site):
    async with site.server(site.fresh(groups=None)) as manager:
        await manager.rights.offered_roles()
        assert codes(manager) == []
        site.roles_file.write_text(ROLES)
        await manager.rights.offered_roles()
        assert codes(manager) == ["groups_claim_missing"]
