"""One-step generators by score distillation (SiD; with forgetting, SFD: Chen et al. 2024, arXiv 2409.11219)."""
