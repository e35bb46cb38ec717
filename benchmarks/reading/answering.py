"""Greedy answers to several questions about the same evidence: what their prompts begin with is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def answers_together(model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], most_tokens: int = 40) -> list[str]:
    """One answer for each prompt, given as token ids. Runs on the inference thread.

    The prompts' shared beginning goes through the model once; the rest of each is padded on its left to one length.
    """
    import torch

    shared = _shared(prompts)
    rests = [list(one[shared:]) for one in prompts]
    longest = max(map(len, rests))
    with torch.inference_mode():
        cache = None
        if shared:
            cache = model(torch.tensor([list(prompts[0][:shared])]), use_cache=True).past_key_values
            cache.batch_repeat_interleave(len(prompts))
        ids = torch.tensor([[0] * (longest - len(rest)) + rest for rest in rests])
        seen = torch.tensor([[1] * shared + [0] * (longest - len(rest)) + [1] * len(rest) for rest in rests])
        places = (seen.cumsum(1) - 1).clamp(min=0)[:, shared:]
        return _decoded(model, tokenizer, (ids, seen, places, cache), most_tokens)


def _shared(prompts: Sequence[Sequence[int]]) -> int:
    """How many tokens all prompts begin with; one at least is left of each. None where there is only one prompt."""
    first, last = min(prompts, key=list), max(prompts, key=list)
    limit = min(map(len, prompts)) - 1
    alike = next((place for place in range(limit) if first[place] != last[place]), limit)
    return alike if len(prompts) > 1 else 0


def _decoded(model: Any, tokenizer: Any, state: tuple[Any, Any, Any, Any], most_tokens: int) -> list[str]:
    import torch

    ids, seen, places, cache = state
    made: list[list[int]] = [[] for _ in range(len(ids))]
    ended = torch.zeros(len(ids), dtype=torch.bool)
    for _ in range(most_tokens):
        out = model(ids, attention_mask=seen, position_ids=places, past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        chosen = out.logits[:, -1].argmax(-1)
        ended |= chosen == tokenizer.eos_token_id
        if bool(ended.all()):
            break
        for row, token in enumerate(chosen.tolist()):
            if not ended[row]:
                made[row].append(token)
        ids, places = chosen[:, None], places[:, -1:] + 1
        seen = torch.cat([seen, torch.ones_like(ids)], 1)
    return [str(tokenizer.decode(one, skip_special_tokens=True)).strip() for one in made]
