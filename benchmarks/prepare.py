"""Fills a data folder before anything is measured: converts the default weights, indexes the sample documents.

Runs as a process of its own (`python -m benchmarks.prepare FOLDER`), so that the measuring process stays small.
"""

from __future__ import annotations

import sys
import threading

import backends
from backends.settings import load_settings


def main(folder: str) -> None:
    """Load what the RAG column needs; that makes everything the other columns need too."""
    settings = load_settings({"data": folder, "rag.generator": "raw"})
    for loading in backends.make("rag", settings).load(threading.Event()):
        print(f"preparing: {loading.what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
