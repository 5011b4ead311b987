"""What a policy would return, estimated from episodes that another one logged, without running it."""
