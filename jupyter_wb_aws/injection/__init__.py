"""How a role session reaches the processes that a Jupyter Server starts."""
