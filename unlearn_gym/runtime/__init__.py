"""The command line, signals, worker processes and the user's own Python files."""
