"""Training an adapter: estimate, steps, checkpoints, and what is left behind."""
