"""What other programs do with our files, in a process that knows nothing of this code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PEFT = """
import sys, json, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
from safetensors.torch import save_file
for line in sys.stdin:
    base, adapter, out, ids, dtype = json.loads(line)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype)
    if adapter:
        model = PeftModel.from_pretrained(model, adapter, autocast_adapter_dtype=False)
    with torch.inference_mode():
        save_file({"logits": model.eval()(input_ids=torch.tensor([ids])).logits.clone()}, out)
    print("saved", flush=True)
"""


class PlainPeft:
    """Plain transformers and peft. They take seconds to be imported, so one process computes for all tests."""

    def __init__(self, process: subprocess.Popen[str], said: Path) -> None:
        self._process, self._said = process, said

    def logits(self, model: Path, adapter: Path | None, ids: list[int], out: Path, dtype: str = "auto") -> Any:
        """The logits that plain transformers, with plain peft for an adapter, computes: shape (1, tokens, vocabulary).

        `dtype` is the precision of the computation, by default that of the file.
        """
        from safetensors.torch import load_file

        assert self._process.stdin
        assert self._process.stdout
        request = json.dumps([str(model), str(adapter or ""), str(out), ids, dtype])
        self._process.stdin.write(request + "\n")
        self._process.stdin.flush()
        assert "saved\n" in iter(self._process.stdout.readline, ""), self._said.read_text()
        return load_file(out)["logits"]


@contextmanager
def plain_peft_process(folder: Path) -> Iterator[PlainPeft]:
    """Start it in a folder, in which it also leaves what it says beside its answers."""
    said = folder / "said.txt"
    command = [sys.executable, "-W", "ignore", "-c", _PEFT]
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    with (
        said.open("w") as errors,
        subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield PlainPeft(process, said)
        finally:
            process.kill()
