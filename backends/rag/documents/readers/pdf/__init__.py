"""PDF files: characters with their places, put into reading order; filled fields and notes beside them."""
