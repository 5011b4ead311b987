"""The class-unlearning benchmark: its protocol, its runs, its report."""
