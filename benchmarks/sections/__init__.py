"""What is measured: each module has ``run(settings)``, which returns its rows of the table."""
