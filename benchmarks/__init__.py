"""Benchmarks: one script a question, each against a named peer."""
