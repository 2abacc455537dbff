"""Compares models on equal terms: the same prompts, seeds and real clips."""
