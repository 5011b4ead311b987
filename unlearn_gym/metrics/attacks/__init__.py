"""What an attacker, or a little bad luck, brings back after unlearning; and rows compared at equal retain quality."""
