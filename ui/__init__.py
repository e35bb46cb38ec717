"""Streamlit pieces that pages share. What they show comes from `backends` and `evaluation`."""
