"""Texts that a head of kind "generation" says, token by token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from plait import _core
from plait.errors import SampleError

if TYPE_CHECKING:
    from plait.model import Result, Timings


@dataclass(frozen=True)
class SaidToken:
    """One token as it is said.

    score: its log probability. text: what it adds to the text; empty while a character is
    unfinished or may begin a stop text.
    """

    id: int
    score: float
    text: str


@dataclass(frozen=True)
class GeneratedText:
    """What a head said.

    text: without the prompt and special tokens. tokens, scores: without the prompt and what ended
    the text; scores are log probabilities before temperature and filters. stopped_by: "end",
    "stop", "max_tokens" or "callback". presence: what the text rests on. timings: of the run before
    it. decode_ns: nanoseconds that all its tokens took.
    """

    text: str
    tokens: list[int]
    scores: list[float]
    stopped_by: str
    presence: dict[str, str] = field(repr=False)
    timings: Timings = field(repr=False)
    decode_ns: int = field(repr=False)


OnToken = Callable[[SaidToken], bool | None]


class Generators:
    """The generators of one model: a call takes one of its head, or makes one. Thread-safe."""

    def __init__(self, core: _core.Model) -> None:
        self._core = core
        self._idle: dict[str, list[_core.Generator]] = {}

    def generate(
        self,
        head: str,
        result: Result,
        *,
        prompt: str | Sequence[int] | None,
        options: Mapping[str, Any],
        on_token: OnToken | None,
    ) -> GeneratedText:
        """Says a text with the bundle's options but for those that are not None."""
        said = self._core.generation_options(head)
        for name, value in options.items():
            if value is not None:
                setattr(said, name, value)
        if prompt is not None and len(prompt) == 0:
            raise SampleError(
                where=f"head {head}, prompt",
                expected="at least one token, or None",
                got="an empty prompt",
            )
        idle = self._idle.setdefault(head, [])
        try:
            generator = idle.pop()
        except IndexError:
            generator = self._core.generator(head)
        text = prompt if isinstance(prompt, str) else ""
        tokens = [] if prompt is None or isinstance(prompt, str) else [int(t) for t in prompt]
        told = None
        if on_token is not None:
            call = on_token

            def told(id: int, score: float, piece: str) -> bool | None:
                return call(SaidToken(id, score, piece))

        try:
            whole, ids, scores, stopped_by, decode_ns = generator.generate(
                result.core, text, tokens, said, told
            )
        finally:
            idle.append(generator)
        return GeneratedText(
            text=whole,
            tokens=ids,
            scores=scores,
            stopped_by=stopped_by,
            presence=result.presence,
            timings=result.timings,
            decode_ns=decode_ns,
        )
