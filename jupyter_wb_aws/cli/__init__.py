"""`jupyter wb-aws …`: one module a command."""
