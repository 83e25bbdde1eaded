"""Calls to AWS STS, what its errors mean, and how SDKs read the user's AWS files."""
