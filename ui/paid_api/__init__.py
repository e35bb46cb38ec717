"""The page of the paid API."""
