"""What a collection keeps: documents, chunks and vectors, and every change to them."""
