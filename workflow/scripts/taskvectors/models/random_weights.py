"""A model of a given shape with random weights, to try a study whose real weights are not at hand. Its numbers mean
nothing."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from taskvectors.data.pairs import read_table
from taskvectors.data.prompts import prompt

SEED = 0
ALPHABET = [*"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"]


def random_model(shape: Mapping[str, Any], tables: Iterable[str | Path], folder: Path) -> None:
    """Write a model with random weights and a tokenizer as `save_pretrained` does.

    Args:
        shape: `model_type` and keys of that type's configuration in transformers.
        tables: CSV files; their words become tokens, as far as the vocabulary holds them.
        folder: exists, is filled.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    settings = dict(shape)
    # Ids of special tokens that defaults set may lie outside a small vocabulary.
    config = AutoConfig.for_model(settings.pop("model_type"), **settings, bos_token_id=0, eos_token_id=0)
    torch.manual_seed(SEED)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float16)
    model.save_pretrained(folder)
    _tokenizer(tables, shape["vocab_size"]).save_pretrained(folder)


def _tokenizer(tables: Iterable[str | Path], size: int) -> Any:
    """Byte pairs merged within the words of the tables, with and without a leading space."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=["<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_words(tables), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|end|>", eos_token="<|end|>")


def _words(tables: Iterable[str | Path]) -> Iterable[str]:
    yield from (*prompt((), " ").split(), *ALPHABET)  # what a line has around its words
    for table in sorted(map(str, tables)):
        for pair in read_table(table):
            for cell in (pair.input, pair.answers[0]):
                yield from (cell, f" {cell}")
