"""Texts: prompts, commands, captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from plait.errors import SampleError


def lines(text: Mapping[str, Any]) -> list[str]:
    """What a text is, in lines for people."""
    mask = ", with their mask" if text["mask"] else ""
    special = "with" if text["special_tokens"] else "without"
    padding = text["padding"]
    said = [
        f"{text['tokens']} tokens{mask}, by {text['tokenizer']} {special} special tokens",
        f"longer texts are cut at the {_end(text['truncation'])}, shorter ones padded at the "
        f"{_end(padding['side'])} with {padding['id']}",
    ]
    if "bank" in text:
        prompts = text["bank"]["prompts"]
        shown = ", ".join(map(repr, prompts[:3])) + (", ..." if len(prompts) > 3 else "")
        said.append(f"embeddings of {len(prompts)} prompts in {text['bank']['member']}: {shown}")
    return said


def wrong_with(text: Mapping[str, Any], sample: NDArray[Any]) -> str:
    """What is wrong with a golden text; "" where nothing is."""
    if sample.dtype.kind != "U" or sample.ndim != 0:
        return f"expected one text, got {sample.dtype} of shape {list(sample.shape)}"
    return ""


def sample_of(array: NDArray[Any]) -> str:
    """The text itself."""
    return str(array.item())


def channels(text: Mapping[str, Any]) -> tuple[Sequence[str], bool, str]:
    """Names of the rows of what is prepared, that they come first, and what else may differ."""
    names = ("ids", "mask") if text["mask"] else ("ids",)
    return names, False, "another tokenizer, truncation, padding or another sample"


def read_text(said: str, modality: str) -> str:
    """A text as the command line gives it: the content of a .txt file without the line's end, or
    the text itself. Raises SampleError for a file that can't be read."""
    path = Path(said)
    if path.suffix.lower() != ".txt":
        return said
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        raise SampleError(
            where=f"{path}, modality {modality}",
            expected="a text file in UTF-8",
            got=str(error),
            action="Check the file; any other text than a .txt's name is taken as it is.",
        ) from error


def _end(side: str) -> str:
    return "front" if side == "left" else "end"
