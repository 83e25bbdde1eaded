"""Schemas of the events on the server's event bus, one a file."""
