"""``%aws_role`` and ``%%aws_role``: show and switch this kernel's AWS role from its notebook."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from jupyter_wb_aws.cli.client import connect
from jupyter_wb_aws.cli.errors import CliError
from jupyter_wb_aws.cli.kernel_role import NO_ROLE, KernelRole, sentence
from jupyter_wb_aws.cli.output import plain, print_text

if TYPE_CHECKING:
    from types import CodeType

NAME = "aws_role"
HELP = {"-h", "--help", "help", "?"}
USAGE = """\
%aws_role           show the AWS role of this notebook
%aws_role ROLE      switch to a role, by its name, label or ARN (press Tab to complete it)
%aws_role none      switch to no AWS role
%%aws_role ROLE     in the first line of a cell: run only this cell with the role
`!jupyter wb-aws roles` lists your roles."""
# The user waits for the list, and can do without it.
COMPLETION_TIMEOUT = 3.0


def load(shell: Any) -> None:
    """Add the magic to a shell, for ``%load_ext jupyter_wb_aws``."""
    magic = AwsRole(shell)
    shell.register_magic_function(magic.aws_role, "line_cell", NAME)
    for name in (f"%{NAME}", f"%%{NAME}"):
        shell.set_hook("complete_command", completions, str_key=name)


class AwsRole:
    """The magic of one shell.

    Args:
        shell: IPython's `InteractiveShell`, whose types are incomplete. It compiles the cells, and has
            their variables.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def aws_role(self, line: str, cell: str | None = None) -> Any:
        """Show or switch the AWS role of this kernel.

        ``%aws_role`` shows it. ``%aws_role auditor`` switches to a role by its name, label or ARN, and
        ``%aws_role none`` to no AWS role. ``%%aws_role auditor`` in the first line of a cell runs this cell
        with the role, and then puts back the one before.

        Raises:
            UsageError: if that can't be done; IPython prints it without a traceback.
        """
        __tracebackhide__ = True
        word = _unquoted(line.strip())
        if word in HELP:
            print_text(USAGE)
            return None
        try:
            if cell is not None:
                return self._run(word, cell)
            if word:
                KernelRole.of_this_process().switch(word)
            else:
                KernelRole.of_this_process().show()
        except CliError as error:
            raise UsageError(plain(_explained(error))) from None
        return None

    def _run(self, word: str, cell: str) -> Any:
        """Run a cell with another role; return the value of its last line for IPython to display."""
        __tracebackhide__ = True
        if not word:
            raise UsageError(f"Name the role for this cell: %%{NAME} ROLE.")
        rest, last = self._compiled(cell)  # a syntax error comes before any switch
        variables = self._shell.user_ns
        with KernelRole.of_this_process().other_role(word):
            exec(rest, variables)  # noqa: S102 - the user's own cell
            return eval(last, variables) if last else None  # noqa: S307

    def _compiled(self, cell: str) -> tuple[CodeType, CodeType | None]:
        # With a line for that of the magic, and the empty ones that IPython removes, so that tracebacks have
        # the numbers that the user sees.
        empty = len(cell) - len(cell.lstrip("\n"))
        source = "\n" * (1 + empty) + self._shell.transform_cell(cell)
        if self._shell.should_run_async(cell, transformed_cell=source):
            raise UsageError(
                f"%%{NAME} can't run a cell with `await` outside of a function. Use %{NAME} before and after it instead."
            )
        compiler = self._shell.compile
        name = compiler.cache(source, self._shell.execution_count, raw_code=cell)
        tree = self._shell.transform_ast(compiler.ast_parse(source, filename=name))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        rest: CodeType = compiler(tree, name, "exec")
        if last is None:
            return rest, None
        return rest, compiler(ast.Expression(last.value), name, "eval")


def completions(_shell: object, event: Any) -> list[str]:
    """Complete names and labels of roles; labels may have blanks, at which IPython's own words end."""
    typed = str(event.text_until_cursor).partition(NAME)[2].lstrip().lstrip("'\"")
    begun = typed.removesuffix(event.symbol)
    try:
        roles = connect(COMPLETION_TIMEOUT).get("/aws/roles").data["roles"]
    except CliError:
        return []
    words = dict.fromkeys(role[key] for key in ("name", "label") for role in roles)
    fitting = [w for w in [*words, NO_ROLE] if w.casefold().startswith(typed.casefold())]
    return [word[len(begun) :] for word in fitting]


def _explained(error: CliError) -> str:
    """Say what is wrong, what to do, and what an administrator needs to know."""
    details = error.problem.get("admin_hint")
    more = f"\nFor your administrator: {details}" if details else ""
    return f"{sentence(error.problem)}{more}"


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text
