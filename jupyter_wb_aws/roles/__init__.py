"""Which IAM roles a user may pick."""
