"""HTTP to the identity provider: proxies, limits, and failures that people understand."""
