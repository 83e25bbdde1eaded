"""The user, and the web identity tokens that identify them."""
