"""The demo with a JupyterHub: two users, and the hub service that signs their tokens for AWS."""
