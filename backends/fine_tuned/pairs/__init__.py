"""Question/answer pairs: read, checked, drafted, and held out of training."""
