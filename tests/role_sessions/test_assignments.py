"""Which role session a kernel has: its own, for as long as the user chooses no other."""

from __future__ import annotations

from jupyter_wb_aws.role_sessions.assignments import Assignment, Assignments, ProcessRole
from tests.role_sessions.support import ANALYST, AUDITOR, make_session

KERNEL = "11111111-2222-3333-4444-555555555555"


async def test_a_kernel_takes_the_default_role_session_at_its_first_start_and_keeps_it(site):
    async with site.server() as manager:
        analyst, _ = await manager.starter.start(ANALYST)
        assert manager.choices.assign_to_kernel(KERNEL) == ProcessRole("role", analyst)

        await manager.starter.start(AUDITOR, default=True)

        assert manager.choices.assign_to_kernel(KERNEL) == ProcessRole("role", analyst)
        assert manager.choices.assignments.chosen(KERNEL) == Assignment(analyst.id, "by_default")


async def test_the_next_kernel_takes_the_new_default(site):
    async with site.server() as manager:
        await manager.starter.start(ANALYST)
        manager.choices.assign_to_kernel(KERNEL)
        auditor, _ = await manager.starter.start(AUDITOR, default=True)

        assert manager.choices.assign_to_kernel("another") == ProcessRole("role", auditor)


async def test_a_kernel_started_before_any_role_was_chosen_takes_the_default_at_its_next_restart(
    site,
):
    async with site.server() as manager:
        assert manager.choices.assign_to_kernel(KERNEL).kind == "untouched"
        assert manager.choices.assignments.chosen(KERNEL) is None

        analyst, _ = await manager.starter.start(ANALYST)

        assert manager.choices.assign_to_kernel(KERNEL) == ProcessRole("role", analyst)


async def test_a_kernel_started_without_a_role_by_choice_takes_a_later_default(site):
    async with site.server() as manager:
        await manager.choices.set_default(None)
        assert manager.choices.assign_to_kernel(KERNEL).kind == "no_role"

        analyst, _ = await manager.starter.start(ANALYST, default=True)

        assert manager.choices.assign_to_kernel(KERNEL) == ProcessRole("role", analyst)


async def test_a_kernel_whose_role_session_has_ended_never_gets_another_role_in_its_place(site):
    async with site.server() as manager:
        analyst, _ = await manager.starter.start(ANALYST)
        manager.choices.assign_to_kernel(KERNEL)
        await manager.ending.end_by_user(analyst.id)
        assert manager.choices.assign_to_kernel(KERNEL).kind == "no_role"

        await manager.starter.start(AUDITOR, default=True)
        await manager.starter.start(ANALYST, region="eu-central-1")

        assert manager.choices.assign_to_kernel(KERNEL).kind == "no_role"


async def test_a_kernel_whose_role_session_has_ended_has_the_same_role_once_it_is_started_again(
    site,
):
    async with site.server() as manager:
        first, _ = await manager.starter.start(ANALYST)
        manager.choices.assign_to_kernel(KERNEL)
        await manager.ending.end_by_user(first.id)
        await manager.starter.start(AUDITOR, default=True)

        again, _ = await manager.starter.start(ANALYST)

        assert manager.choices.assign_to_kernel(KERNEL).session is again
        assert manager.choices.assignments.chosen(KERNEL) == Assignment(again.id, "by_default")


async def test_to_look_what_a_kernel_would_get_changes_nothing(site):
    async with site.server() as manager:
        first, _ = await manager.starter.start(ANALYST)
        manager.choices.assign_to_kernel(KERNEL)
        await manager.ending.end_by_user(first.id)
        again, _ = await manager.starter.start(ANALYST)
        used, chosen = again.last_used, manager.choices.assignments.chosen(KERNEL)
        site.clock.advance(60)

        assert manager.choices.next_role_of_kernel(KERNEL) == ProcessRole("role", again)

        assert again.last_used == used
        assert manager.choices.assignments.chosen(KERNEL) == chosen
        assert site.emitted("kernel_without_role") == []


async def test_a_kernel_that_starts_without_the_role_it_had_is_reported(site, caplog):
    async with site.server() as manager:
        analyst, _ = await manager.starter.start(ANALYST)
        manager.choices.assign_to_kernel(KERNEL)
        await manager.ending.end_by_user(analyst.id)

        manager.choices.assign_to_kernel(KERNEL)

        assert site.emitted("kernel_without_role") == [
            {"kernel_id": KERNEL, "session_id": analyst.id}
        ]
        assert "its role session has ended" in caplog.text


async def test_the_users_choice_for_one_kernel_wins_over_what_it_had(site):
    async with site.server() as manager:
        await manager.starter.start(ANALYST)
        manager.choices.assign_to_kernel(KERNEL)
        auditor, _ = await manager.starter.start(AUDITOR)

        manager.choices.assignments.choose(KERNEL, auditor.id)

        assert manager.choices.assign_to_kernel(KERNEL) == ProcessRole("role", auditor)
        assert manager.choices.assignments.chosen(KERNEL) == Assignment(auditor.id, "by_user")


async def test_a_choice_for_one_kernel_and_what_it_is_started_with_are_reported(site):
    async with site.server() as manager:
        analyst, _ = await manager.starter.start(ANALYST)
        assignments = manager.choices.assignments

        def reported():
            return len(site.emitted("assignment_changed"))

        assignments.choose(KERNEL, analyst.id)
        assert reported() == 1
        assignments.record_start(KERNEL, ProcessRole("role", analyst))
        assert reported() == 2
        assignments.record_start(
            KERNEL, ProcessRole("role", analyst)
        )  # restarted, with what it had
        assert reported() == 2
        assignments.forget_choice(KERNEL)

        assert site.emitted("assignment_changed") == 3 * [{"kernel_id": KERNEL}]


def test_a_kernel_whose_aws_variables_are_removed_from_now_on_or_no_longer_is_reported():
    reported = []
    assignments = Assignments(reported.append)

    assignments.record_start(KERNEL, ProcessRole("untouched"))
    assert reported == []  # nothing was known of it, and nothing was done to it
    assignments.record_start(KERNEL, ProcessRole("no_role"))
    assert reported == [KERNEL]
    assignments.record_start(KERNEL, ProcessRole("no_role"))
    assert reported == [KERNEL]
    assignments.record_start(KERNEL, ProcessRole("untouched"))
    assert reported == [KERNEL, KERNEL]


async def test_a_kernel_for_which_no_aws_role_was_chosen_has_none_and_nobody_is_warned(site):
    async with site.server() as manager:
        await manager.starter.start(ANALYST)

        manager.choices.assignments.choose(KERNEL, None)

        assert manager.choices.assign_to_kernel(KERNEL).kind == "no_role"
        assert site.emitted("kernel_without_role") == []


async def test_a_kernel_whose_choice_is_taken_back_goes_with_the_default_again(site):
    async with site.server() as manager:
        analyst, _ = await manager.starter.start(ANALYST)
        manager.choices.assignments.choose(KERNEL, None)

        manager.choices.assignments.forget_choice(KERNEL)
        manager.choices.assignments.forget_choice("never chosen")

        assert manager.choices.assign_to_kernel(KERNEL) == ProcessRole("role", analyst)


async def test_if_nothing_was_ever_chosen_what_starts_is_untouched(site):
    async with site.server() as manager:
        await manager.starter.start(ANALYST, default=False)

        assert manager.choices.assign_to_process().kind == "untouched"
        assert manager.choices.assign_to_kernel(KERNEL).kind == "untouched"


async def test_after_the_default_has_ended_what_starts_has_no_role(site):
    async with site.server() as manager:
        analyst, _ = await manager.starter.start(ANALYST)
        await manager.ending.end_by_user(analyst.id)

        assert manager.choices.assign_to_process().kind == "no_role"
        assert manager.choices.assign_to_kernel(KERNEL).kind == "no_role"


# --- The table itself ------------------------------------------------------------------------


def test_what_a_kernel_runs_with_is_apart_from_what_is_chosen_for_its_next_start():
    assignments = Assignments()
    running = ProcessRole("role", make_session())
    assignments.record_start(KERNEL, running)

    assignments.choose(KERNEL, None)

    assert assignments.running(KERNEL) is running
    assert assignments.chosen(KERNEL) == Assignment(None, "by_user")


def test_of_a_kernel_that_never_ran_nothing_is_known():
    assert Assignments().running(KERNEL) is None
    assert Assignments().chosen(KERNEL) is None


def test_kernels_that_have_gone_are_forgotten():
    assignments = Assignments()
    assignments.choose(KERNEL, None)
    assignments.record_start(KERNEL, ProcessRole("no_role"))
    assignments.choose("another", None)
    assignments.prune({KERNEL, "another"})

    assignments.prune({"another"})

    assert assignments.chosen(KERNEL) is None
    assert assignments.running(KERNEL) is None
    assert assignments.chosen("another")


def test_a_kernel_that_is_just_starting_is_not_forgotten():
    assignments = Assignments()
    assignments.choose(KERNEL, "0123456789abcdef")
    assignments.keep("another", "0123456789abcdef")

    assignments.prune(set())

    assert assignments.chosen(KERNEL) == Assignment("0123456789abcdef", "by_user")
    assert assignments.chosen("another") == Assignment("0123456789abcdef", "by_default")
