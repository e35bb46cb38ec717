"""The reference without Crossroads: a script that loads the weights with transformers and generates.

`python -m benchmarks.bare FOLDER SYSTEM_PROMPT QUESTION` prints one JSON line per step and then waits for its
standard input to close, so that the starter can stamp the time and weigh the process: `imported`, `loaded`, `answered`
(the first token is there). Only torch and transformers are imported.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def load(folder: str) -> tuple[Any, Any]:
    """Model and tokenizer, on the device and in the precision in which Crossroads loads them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    slow_bf16 = device == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder, local_files_only=True, dtype=torch.float32 if slow_bf16 else "auto"
    )
    return model.to(device).eval(), tokenizer


def first_token(model: Any, tokenizer: Any, system_prompt: str, question: str) -> str:
    """Generate one token, greedily, after the prompt in the model's chat format."""
    messages = [{"role": "system", "content": system_prompt}, {"role": "user", "content": question}]
    prompt = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    ).to(model.device)
    out = model.generate(**prompt, max_new_tokens=1, do_sample=False)
    return str(tokenizer.decode(out[0, prompt["input_ids"].shape[1] :]))


def _say(**step: object) -> None:
    print(json.dumps(step), flush=True)


def main(folder: str, system_prompt: str, question: str) -> None:
    """Do the three steps, then wait."""
    import torch  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: F401

    _say(step="imported")
    _wait()
    model, tokenizer = load(folder)
    _say(step="loaded")
    _wait()
    _say(step="answered", text=first_token(model, tokenizer, system_prompt, question))
    _wait()


def _wait() -> None:
    """Go on when the starter has weighed this process (it sends a line) or does not want to (it sent lines before)."""
    sys.stdin.readline()


if __name__ == "__main__":
    main(*sys.argv[1:])
