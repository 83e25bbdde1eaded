"""Who the user is, and the web identity tokens that say so."""
