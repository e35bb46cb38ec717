"""A cross-encoder small enough to be made on the spot: the real classes, random weights, the default tokenizer."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.backends.rag.quick import default_weights


def tiny_cross_encoder(folder: Path) -> Path:
    """Write one into an empty folder."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        num_labels=1,
    )
    BertForSequenceClassification(config).save_pretrained(folder, safe_serialization=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        shutil.copy(default_weights() / name, folder / name)
    return folder
