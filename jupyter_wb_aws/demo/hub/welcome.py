"""What the terminal shows when the hub is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_wb_aws.demo.hub.running import HubOptions

_WELCOME = """
JupyterHub is ready. It has two users: alice, in the hub's group "analysts", and bob, in no group.

  Open this in a browser:

      {url}

  Log in to the hub as alice: a name is enough, there are no passwords. When her server has started,
  pick Analyst under "AWS role". For AWS, alice has nothing else to do: a service of the hub signs a
  token for her and this one role, because of her group. Then open the sample notebook, aws-in-a-notebook.ipynb, from
  the list of files on the left, and follow it.

  Log out (File > Log Out) and log in as bob: the same page offers him no role, and the service
  gives him none. In a new terminal (File > New > Terminal) of either server, try:

      jupyter wb-aws roles
      aws sts get-caller-identity

  Both servers run as the same system user, the one who started this command. So alice and bob are
  not separated here: a program of one can read the other's files and tokens, and yours. On a hub
  for real users, each has a system user or a container. Don't give the link to others: anyone who
  has it can log in, and run programs as you.

  Everything, the notebooks in the two servers too, is new each time.
  No AWS account is involved, and nothing leaves this machine.
  Press Ctrl-C here to stop everything.
"""


def welcome(options: HubOptions) -> str:
    """Return what the terminal shows when the hub is ready."""
    return _WELCOME.format(url=options.url)
