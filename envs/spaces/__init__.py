"""What an agent sees of an unlearning process, and what its action means: one registry each."""
