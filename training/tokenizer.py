"""The demo model's tokenizer: bytes, and one token for each frequent Chinese character.

Byte-level like Qwen's, so every Unicode text survives. English stays one token per letter: the model copies what it
sees letter by letter, and a vocabulary of words would have to be learned glyph by glyph all over.
"""

import functools
import json
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerBase

DEMO = Path(__file__).parent.parent / "core" / "demo"
CHARACTERS = Path(__file__).parent / "characters.txt"
PUNCTUATION = (
    "\uff0c\u3002\u3001\uff1a\uff1b\uff1f\uff01\uff08\uff09\u300a\u300b\u201c"
    "\u201d\u2018\u2019\u00b7\u2014\u2026\u00a5\uffe5\u20ac\u00a3\u00d7\u00b0"
    "\uff05\u2103\u221a\u2022\u25cf\u3010\u3011\u300c\u300d"
)
SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>",
)  # fmt: skip
VOCABULARY = 2048  # rounded up, so that characters can be added without changing the shape of the embedding


@functools.cache
def characters() -> str:
    """Return the characters that are one token each, most frequent first (by the word list of the jieba package)."""
    return CHARACTERS.read_text(encoding="utf-8").replace("\n", "")


def make() -> Tokenizer:
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    vocabulary = {symbol: index for index, symbol in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges: list[tuple[str, str]] = []
    whole = [byte_level.pre_tokenize_str(c)[0][0] for c in dict.fromkeys(characters() + PUNCTUATION)]
    for length in (2, 3):
        for symbols in whole:
            part = symbols[:length]
            if len(part) == length and part not in vocabulary:
                vocabulary[part] = len(vocabulary)
                merges.append((part[:-1], part[-1]))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = byte_level
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    if tokenizer.get_vocab_size() > VOCABULARY:
        raise ValueError(f"{tokenizer.get_vocab_size()} tokens do not fit into {VOCABULARY}")
    return tokenizer


def save(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    make().save(str(directory / "tokenizer.json"))
    settings: dict[str, Any] = {
        "tokenizer_class": "Qwen2Tokenizer",
        "model_max_length": 8192,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "bos_token": None,
        "unk_token": None,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "errors": "replace",
        "split_special_tokens": False,
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")


def load(directory: Path = DEMO) -> PreTrainedTokenizerBase:
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(directory)
    return tokenizer
