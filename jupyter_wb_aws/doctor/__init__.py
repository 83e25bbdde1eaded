"""Why AWS credentials don't work in a process: facts, pure checks over them, and a real call."""
