"""HTTP to the identity provider: through the site's proxy, within limits, with explained failures."""
