"""Reference models on real data: short, complete scripts made to be copied."""
