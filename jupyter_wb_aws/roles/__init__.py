"""Which IAM roles a user may start."""
