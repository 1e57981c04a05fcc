"""Clean text before it is stored."""


def storable(text: str) -> str:
    """Return the text without NUL and lone surrogates, which JSON can carry but no tokenizer or database accepts."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
