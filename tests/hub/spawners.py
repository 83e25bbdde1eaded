"""What the tests' JupyterHub is configured with besides settings: how it starts a user's server.

Loaded by the hub, as configuration (`load_subconfig`). Each server's output goes to a file of its own.
"""

import json
import os
import pwd
from pathlib import Path

from jupyterhub.spawner import LocalProcessSpawner, SimpleLocalProcessSpawner, set_user_setuid

c = get_config()  # noqa: F821
FOLDER = Path(os.environ["WB_AWS_TESTS_HUB"])
SYSTEM_USERS = json.loads((FOLDER / "hub/system-users.json").read_text())


class OwnLog:
    """Writes what a server says to `logs/USER-SERVER.log`."""

    async def start(self):
        path = FOLDER / "logs" / f"{self.user.escaped_name}-{self.name or 'default'}.log"
        with path.open("a") as log:
            self.popen_kwargs = {**self.popen_kwargs, "stdout": log, "stderr": log}
            return await super().start()


class SimpleSpawner(OwnLog, SimpleLocalProcessSpawner):
    """All servers under one uid, each user with a folder as home."""

    home_dir_template = f"{FOLDER}/homes/{{username}}"


class SystemUserSpawner(OwnLog, LocalProcessSpawner):
    """Servers under the uid of the system user that was made for the hub's user."""

    system_users = SYSTEM_USERS

    def make_preexec_fn(self, name):
        return set_user_setuid(self.system_users[name])

    def user_env(self, env):
        entry = pwd.getpwnam(self.system_users[self.user.name])
        return {**env, "USER": self.user.name, "HOME": entry.pw_dir, "SHELL": entry.pw_shell}


c.JupyterHub.spawner_class = SystemUserSpawner if SYSTEM_USERS else SimpleSpawner
