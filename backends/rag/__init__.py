"""Approach 4, retrieval: documents -> chunks -> Chroma -> search -> prompt -> engine."""
