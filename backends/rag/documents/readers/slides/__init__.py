"""Presentations: the shapes of a slide, their text, and comments."""
