"""All four approaches in one fresh process: `python -m benchmarks.memory_child [ADAPTER]`.

Prints one JSON line per step and waits for a line on standard input, so that the starter can weigh the process. The
last line says how the adapter's view and the raw column share their tensors.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

import backends
from backends.base import Answer, Backend
from backends.run.timing import run_timed
from backends.settings import load_settings

_NOWHERE = "http://127.0.0.1:9/v1"
"""A local address for the paid column, which is loaded and not asked."""

_QUESTION = "How long may a customer keep an Ember One that has been opened and still return it?"
"""The sample documents answer it, so RAG gives the model a prompt with passages."""


def _say(**step: object) -> None:
    print(json.dumps(step), flush=True)
    sys.stdin.readline()


def main(adapter: str | None) -> None:
    """Import, load one approach after another, let the local ones answer, show what is shared."""
    import chromadb  # noqa: F401
    import openai  # noqa: F401
    import peft  # noqa: F401
    import sentence_transformers  # noqa: F401
    import torch  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: F401

    _say(step="imported")
    chosen = {"fine_tuned.adapter": adapter} if adapter else {}
    settings = load_settings(
        {"max_tokens": 1, "paid_api.base_url": _NOWHERE, "paid_api.api_key": "bench-key", **chosen}
    )
    loaded: list[Backend] = []
    for name in [name for name in tuple(spec.id for spec in backends.specs()) if adapter or name != "fine_tuned"]:
        backend = backends.make(name, settings)
        list(backend.load(threading.Event()))
        loaded.append(backend)
        _say(step=f"loaded {name}")
    for backend in loaded:
        if backend.approach != "paid_api":
            *_, answer = run_timed(backend, settings.question(_QUESTION), threading.Event())
            if not isinstance(answer, Answer) or answer.status == "error":
                raise RuntimeError(f"{backend.approach} did not answer: {answer}")
    _say(step="answered")
    _say(step="shared", **_shared(loaded))


def _shared(loaded: list[Backend]) -> dict[str, Any]:
    """Tensors and bytes of the base, and how many of them the adapter's view and RAG's generator hold too.

    Two tensors are the same weights if they begin at the same address (`data_ptr`) and have the same size.
    """
    from backends.fine_tuned.approach import FineTunedBackend
    from backends.rag.approach import RagBackend
    from backends.raw import RawBackend

    found: dict[str, Any] = {}
    for backend in loaded:
        if isinstance(backend, RawBackend):
            base = _weights(backend.base.model)
            found |= {"base_tensors": len(base), "base_bytes": sum(base.values())}
        if isinstance(backend, FineTunedBackend):
            assert backend._view is not None
            view = _weights(backend._view.model)
            own = {pointer: size for pointer, size in view.items() if pointer not in base}
            found |= {"view_shares": len(base.keys() & view.keys()), "adapter_bytes": sum(own.values())}
        if isinstance(backend, RagBackend) and isinstance(backend._generator, RawBackend):
            found["rag_shares"] = len(base.keys() & _weights(backend._generator.base.model).keys())
    return found


def _weights(model: Any) -> dict[tuple[int, int], int]:
    """(Address, bytes) -> bytes of every distinct parameter."""
    sizes = {(p.data_ptr(), p.numel() * p.element_size()) for p in model.parameters()}
    return {key: key[1] for key in sizes}


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
