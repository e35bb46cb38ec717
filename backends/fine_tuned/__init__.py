"""Approach 2: a LoRA adapter over the very weights that answer in the raw column."""
