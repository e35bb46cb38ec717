"""The page Evaluate: runs of a question set through every approach, what they came to, and every answer."""
