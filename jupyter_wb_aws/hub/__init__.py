"""The hub service: a JupyterHub service that signs web identity tokens, each for one user and one role."""
