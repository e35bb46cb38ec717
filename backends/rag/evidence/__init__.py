"""Which passage supports which sentence of an answer, decided by rule."""
