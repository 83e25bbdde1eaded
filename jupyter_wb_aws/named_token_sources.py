"""The token sources that `WbAwsApp.token_source` names, and how a name becomes a class."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from traitlets import TraitError
from traitlets.utils.importstring import import_item

if TYPE_CHECKING:
    from jupyter_wb_aws.identity.source import TokenSource

# By name, so that a server imports only the one it uses.
SOURCES = {
    "command": "jupyter_wb_aws.identity.command_source.CommandTokenSource",
    "file": "jupyter_wb_aws.identity.file_source.FileTokenSource",
    "jupyterhub": "jupyter_wb_aws.identity.jupyterhub_source.JupyterHubTokenSource",
    "oidc": "jupyter_wb_aws.identity.oidc_source.OidcTokenSource",
}


def source_class(name: str) -> type[TokenSource] | None:
    """Return the class of a token source by its short name or import path; None for an empty name.

    Raises:
        TraitError: if nothing by this name can be imported, or it is not a TokenSource.
    """
    if not name:
        return None
    from jupyter_wb_aws.identity.source import TokenSource

    try:
        found = import_item(SOURCES.get(name, name))
    except Exception as error:  # noqa: BLE001 - importing a site's module may raise anything
        listed = ", ".join(SOURCES)
        close = get_close_matches(name.strip().lower(), SOURCES, 1, 0.5)
        nearest = f"; the nearest is {close[0]!r}" if close else ""
        raise TraitError(
            f"The 'token_source' trait of WbAwsApp is one of {listed}, or the import path of a TokenSource;"
            f" {name!r} can't be imported ({type(error).__name__}: {error}){nearest}."
        ) from None
    if not (isinstance(found, type) and issubclass(found, TokenSource)):
        raise TraitError(
            f"The 'token_source' trait of WbAwsApp: {name} does not extend TokenSource."
        )
    return found
