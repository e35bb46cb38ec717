"""What other programs do with our files, each in a process of its own that knows nothing of this code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_PEFT = """
import sys, json, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
from safetensors.torch import save_file
base, adapter, out, ids, dtype = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4]), sys.argv[5]
model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype)
if adapter:
    model = PeftModel.from_pretrained(model, adapter, autocast_adapter_dtype=False)
with torch.inference_mode():
    save_file({"logits": model.eval()(input_ids=torch.tensor([ids])).logits.clone()}, out)
"""


def logits_elsewhere(model: Path, adapter: Path | None, ids: list[int], out: Path, dtype: str = "auto") -> Any:
    """The logits that plain transformers, with plain peft for an adapter, computes: shape (1, tokens, vocabulary).

    `dtype` is the precision of the computation, by default that of the file.
    """
    from safetensors.torch import load_file

    arguments = [str(model), str(adapter or ""), str(out), json.dumps(ids), dtype]
    command = [sys.executable, "-W", "ignore", "-c", _PEFT, *arguments]
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=out.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return load_file(out)["logits"]
