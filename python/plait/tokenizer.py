"""Texts to token ids and back, as a Hugging Face tokenizer.json says."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from plait import _core


class Tokenizer:
    """A tokenizer.json, read by the core: BPE, WordPiece, Unigram or WordLevel.

    Gives the ids and texts that the library `tokenizers` gives for the same file. The file's
    truncation and padding are not applied: a bundle states its own. Thread-safe.

    source: path of the file, or its bytes. Raises BundleError for a file that is damaged or asks
    for what the core does not have, naming it.
    """

    def __init__(self, source: str | os.PathLike[str] | bytes) -> None:
        if isinstance(source, bytes):
            self._core = _core.Tokenizer(source, "tokenizer.json")
        else:
            self._core = _core.Tokenizer(Path(source))

    def encode(self, text: str, *, special_tokens: bool = True) -> list[int]:
        """The ids of a text. Raises SampleError for one with a lone surrogate."""
        return self._core.encode(text, special_tokens)

    def decode(self, ids: Iterable[int], *, skip_special_tokens: bool = True) -> str:
        """The text of ids; ids that no token has are left out."""
        return self._core.decode(list(ids), skip_special_tokens)

    def token_to_id(self, token: str) -> int | None:
        """The id of a token, or None."""
        return self._core.token_to_id(token)

    def id_to_token(self, id: int) -> str | None:
        """The token of an id, or None."""
        return self._core.id_to_token(id)

    def __len__(self) -> int:
        """Tokens there are, added ones included."""
        return self._core.vocabulary_size()
