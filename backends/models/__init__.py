"""Models in this process: weights and where they come from, loading, generating, adapters on them."""
