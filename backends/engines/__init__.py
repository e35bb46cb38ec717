"""How text is generated: in this process (`transformers`) or on an OpenAI-compatible server."""
