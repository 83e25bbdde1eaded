"""Signing in with OpenID Connect: flows, tokens, and the provider's refusals."""
