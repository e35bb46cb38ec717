"""Passages for a question: by meaning, by words, reranked; and the embedder behind it."""
