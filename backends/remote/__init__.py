"""Models on OpenAI-compatible servers: connections, requests, streams, faults, and the stand-in."""
