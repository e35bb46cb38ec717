"""The sections of the RAG page: documents, search, map, measure."""
