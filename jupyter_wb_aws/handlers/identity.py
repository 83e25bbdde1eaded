"""`GET /aws/identity`: who the user is to AWS, with the keys of `aws sts get-caller-identity`."""

from __future__ import annotations

from jupyter_wb_aws.errors import BadRequest, NoDefaultRoleSession, WbAwsError
from jupyter_wb_aws.handlers.base import WbAwsHandler, endpoint
from jupyter_wb_aws.handlers.roles import user_json


class CallerIdentityHandler(WbAwsHandler):
    """The caller identity of a role session."""

    @endpoint
    async def get(self) -> None:
        """Report the caller identity, by default for the default role session.

        Raises:
            BadRequest: if `verify` is not true or false.
        """
        self.refuse_other_sites()  # it calls STS and the token source
        manager = self.manager
        verify = self.get_query_argument("verify", "false")
        if verify not in {"true", "false"}:
            raise BadRequest("`verify` must be true or false.")
        named = self.get_query_argument("session_id", None)
        try:
            session = (
                manager.choices.default_session() if named is None else manager.sessions.get(named)
            )
        except NoDefaultRoleSession as problem:
            self.answer_problem(problem, user=await self._user())
            return
        caller = await manager.starter.caller_identity(session, verify=verify == "true")
        self.answer(
            {**caller.as_json(), "session_id": session.id, "user": user_json(session.owner)}
        )

    async def _user(self) -> dict[str, object] | None:
        try:
            return user_json(await self.manager.rights.user())
        except WbAwsError:
            return None
