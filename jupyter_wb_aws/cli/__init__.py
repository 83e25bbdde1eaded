"""`jupyter wb-aws …`: one module for each command, and what the commands share."""
