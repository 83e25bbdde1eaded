"""Started roles: their state, their token files, their refreshing, what is kept of them."""
