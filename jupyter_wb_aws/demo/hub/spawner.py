"""How the demo's hub starts a user's server."""

from __future__ import annotations

from jupyterhub.spawner import SimpleLocalProcessSpawner
from traitlets import Dict


class HomeSpawner(SimpleLocalProcessSpawner):  # type: ignore[misc]
    """JupyterHub's `simple` spawner, with an environment for each user: folders, PATH, local AWS."""

    environments = Dict(config=True, help="The variables of each user's server, by user.")

    def get_env(self) -> dict[str, str]:
        """Return the environment: the hub's variables, and this user's."""
        return {**super().get_env(), **self.environments[self.user.name]}
