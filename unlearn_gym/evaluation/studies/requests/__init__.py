"""The study of deletion requests: what is tuned and trained on some of them, compared on others."""
