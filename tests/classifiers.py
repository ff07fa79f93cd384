"""A small toxicity classifier in the layout of the one that the paper uses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import RobertaConfig, RobertaForSequenceClassification


def publish_classifier(folder: Path, texts: Sequence[str]) -> Path:
    """Writes it like tomh/toxigen_roberta: pickled weights, vocab.json, merges.txt."""
    folder.mkdir(exist_ok=True)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(texts, vocab_size=330, special_tokens=special)
    bpe.save_model(str(folder))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "RobertaTokenizer"})
    )
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=330,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=66,
        type_vocab_size=1,
        initializer_range=0.5,
        num_labels=2,
    )
    model = RobertaForSequenceClassification(config)
    model.config.architectures = ["RobertaForSequenceClassification"]
    model.config.save_pretrained(folder)
    state = {**model.state_dict(), "roberta.embeddings.position_ids": torch.arange(66)[None]}
    torch.save(state, folder / "pytorch_model.bin")
    return folder
