"""A third party's token source whose import fails."""

raise RuntimeError("broken on import")
