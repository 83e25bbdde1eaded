"""Signing in at the demo's identity provider: `SignInProvider`, its protocol and its pages."""

from jupyter_wb_aws.demo.sign_in.provider import SignInProvider

__all__ = ["SignInProvider"]
