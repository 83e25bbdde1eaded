"""The two pages of the code flow: one begins it in any browser, the other finishes it.

The pages never show anything from the URL, and load nothing.
"""

from __future__ import annotations

import html
import re
import secrets
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async
from jupyter_server.base.handlers import JupyterHandler
from tornado import web
from tornado.httputil import url_concat

from jupyter_wb_aws.errors import (
    SignInFailed,
    TokenInvalid,
    TokenSourceFailed,
    WbAwsError,
)
from jupyter_wb_aws.handlers.problem import (
    PROBLEM_JSON,
    Forbidden,
    NotAuthenticated,
    begin_problem,
    problem_document,
    problem_of,
    xsrf_problem,
)
from jupyter_wb_aws.handlers.request_user import log_by_user, require_owner
from jupyter_wb_aws.handlers.server_sharing import sharing_notice
from jupyter_wb_aws.handlers.sign_in import bind_to_browser, sign_in_of

if TYPE_CHECKING:
    from jupyter_wb_aws.handlers.server_state import ServerState
    from jupyter_wb_aws.role_sessions.manager import RoleSessionManager

# The length of a parameter of the callback: a provider's code has some hundred characters.
MAX_PARAMETER_LENGTH = 8192

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style nonce="{nonce}">
  :root {{ color-scheme: light dark; }}
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto; padding: 0 1rem; }}
  h1 {{ font-size: 1.4rem; }}
  button {{ font: inherit; padding: .5rem 1.2rem; cursor: pointer; }}
  .more {{ opacity: .75; font-size: .9rem; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
{script}
</body>
</html>
"""


class PageHandler(JupyterHandler):
    """Base of the pages: a user who is refused gets a sentence, not a redirect with the URL in it."""

    auth_resource = "aws"
    referrer_policy = "no-referrer"  # the URL may hold what the provider sent
    script = ""

    def initialize(self, server: ServerState) -> None:
        """Keep what the handlers share."""
        self.server_state = server

    def check_xsrf_cookie(self) -> None:
        """Check as Jupyter Server does, but show a refusal on our own page.

        Raises:
            ProblemHTTPError: with the one of the two checks that failed.
        """
        try:
            super().check_xsrf_cookie()
        except web.HTTPError as error:
            raise xsrf_problem(self, error) from None

    @property
    def wants_html(self) -> bool:
        """Whether the request comes from a browser, and not from a program."""
        return "text/html" in self.request.headers.get("Accept", "")

    async def manager(self) -> RoleSessionManager:
        """Return the role sessions, for users who may change them.

        Raises:
            NotOwner: if only the server's owner may, and this is somebody else.
            NotAuthenticated: if nobody is signed in to Jupyter in this browser.
            Forbidden: if the user may not change role sessions.
            NotConfigured: if the extension is not set up.
        """
        if not self.current_user:
            raise NotAuthenticated(
                "This browser is not signed in to this Jupyter Server, or is signed in under another address.",
                hint="Open Jupyter in this browser under the address that your administrator gave you, and sign in again"
                " from there.",
            )
        if not await ensure_async(
            self.authorizer.is_authorized(self, self.current_user, "write", self.auth_resource)
        ):
            raise Forbidden
        require_owner(self, self.server_state.only_user)
        return self.server_state.require_manager()

    def page(self, title: str, body: str, *, status: int = 200, script: str = "") -> None:
        """Finish with a page.

        Args:
            title: the heading, as text.
            body: what follows it, as HTML.
            status: the HTTP status.
            script: JavaScript to run in the page.
        """
        nonce = secrets.token_urlsafe(16)
        self.set_status(status)
        for name, value in {
            "Content-Type": "text/html; charset=utf-8",
            "Cache-Control": "no-store",
            "Referrer-Policy": self.referrer_policy,
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}';"
            " form-action *; frame-ancestors 'none'; base-uri 'none'",
        }.items():
            self.set_header(name, value)
        script = self.script + script
        script = f'<script nonce="{nonce}">{script}</script>' if script else ""
        page = PAGE.format(title=html.escape(title), body=body, nonce=nonce, script=script)
        self.finish(page.encode(errors="replace"))  # a name may contain half a character

    def problem_page(self, problem: WbAwsError) -> None:
        """Finish with a failure: a page for people, a problem document for programs."""
        begin_problem(self, problem)
        if not self.wants_html:
            self.set_header("Content-Type", PROBLEM_JSON)
            self.finish(problem_document(problem))
            return
        more = [
            problem.hint,
            problem.admin_hint and f"For your administrator: {problem.admin_hint}",
        ]
        detail = [problem.detail] if problem.detail != problem.title else []
        body = "".join(f"<p>{_as_html(text)}</p>" for text in detail) + "".join(
            f'<p class="more">{_as_html(text)}</p>' for text in more if text
        )
        if isinstance(problem, SignInFailed | TokenSourceFailed | TokenInvalid):
            start = html.escape(f"{self.base_url}aws/sign-in/start")
            body += f'<p><a href="{start}">Sign in again</a></p>'
        self.page(problem.title, body, status=problem.status)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Report every error as a problem."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        self.problem_page(problem_of(self, status_code, error))


def _as_html(text: str) -> str:
    """Return a sentence as HTML; text in backticks is a command or a name."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


class SignInPageHandler(PageHandler):
    """Where any browser can begin the code flow, without JupyterLab."""

    # With `no-referrer`, a browser sends the form with `Origin: null` (Fetch, "append a request `Origin`
    # header"), and Jupyter takes it for a form of another site.
    referrer_policy = "same-origin"

    async def get(self) -> None:
        """Show a button, so that a link or another site's page can't begin a sign-in by itself."""
        if not self.current_user and self.wants_html:
            self.redirect(url_concat(self.get_login_url(), {"next": self.request.path}))
            return
        try:
            sign_in = sign_in_of(await self.manager())
        except WbAwsError as problem:
            self.problem_page(problem)
            return
        issuer = html.escape(sign_in.issuer)
        text = f"<p>You sign in at {issuer}. Then pick an AWS role for your notebooks and terminals.</p>"
        if sign_in.user is not None:
            name = html.escape(sign_in.user.name)
            text = (
                f"<p>You are signed in as {name}. You can sign in again at {issuer}. If you sign in as somebody"
                f" else, the role sessions of {name} end.</p>"
            )
        if shared := sharing_notice(self.serverapp):
            text += f"<p>{html.escape(shared['message'])}</p>"
        button = (
            f'<form method="post">{self.xsrf_form_html()}<button autofocus>Sign in</button></form>'
        )
        self.page("Sign in for AWS", text + button)

    async def post(self) -> None:
        """Send the browser to the provider."""
        try:
            sign_in = sign_in_of(await self.manager())
            await sign_in.choose_flow("code")
            begun = await sign_in.begin_code()
            log_by_user(self, "Sign-in asked for (code flow, on the page)")
        except WbAwsError as problem:
            self.problem_page(problem)
            return
        bind_to_browser(self, begun, self.server_state.hub)
        self.set_header("Cache-Control", "no-store")
        self.redirect(begun.authorization_url, status=303)


class CallbackHandler(PageHandler):
    """Where the provider sends the browser back to; if opened again, it says who is signed in."""

    # Remove what the provider sent in the URL from the browser's history.
    script = 'history.replaceState(null, "", location.pathname);'

    async def prepare(self) -> None:  # type: ignore[override]
        """Remove the query from the request first, so that nothing can log or show it."""
        self.query = {
            name: values[-1].decode("utf-8", "replace")
            for name, values in self.request.query_arguments.items()
            if len(values) == 1 and len(values[0]) <= MAX_PARAMETER_LENGTH
        }
        if (
            "Referer" in self.request.headers
        ):  # the provider's page, which Jupyter logs with a failure
            del self.request.headers["Referer"]
        self.request.uri = self.request.path
        self.request.query = ""
        await super().prepare()

    async def get(self) -> None:
        """Finish the sign-in."""
        try:
            manager = await self.manager()
            sign_in = sign_in_of(manager)
            if self.query:
                cookies = {name: morsel.value for name, morsel in self.request.cookies.items()}
                await sign_in.finish_code(self.query, cookies)
                log_by_user(self, "Sign-in finished in a browser")
        except WbAwsError as problem:
            self.problem_page(problem)
            return
        if sign_in.user is None:  # reloaded later, or signed out again at this very moment
            self.problem_page(SignInFailed("You are not signed in."))
            return
        going_on = ", ".join(
            html.escape(session.role.label) for session in manager.sessions.living()
        )
        next_step = (
            f"Your role sessions continue: {going_on}."
            if going_on
            else "Next, pick an AWS role: <code>jupyter wb-aws roles</code> lists yours."
        )
        another = manager.rights.another_user()
        warning = f"<p>{html.escape(another.detail)}</p>" if another else ""
        self.page(
            f"You are signed in as {sign_in.user.name}",
            f"{warning}<p>{next_step}</p><p>You can close this window and go back to"
            f' <a href="{html.escape(self.base_url)}">Jupyter</a> or to your terminal.</p>',
            # A script can only close a window that a script has opened.
            script="window.close();" if self.query else "",
        )
