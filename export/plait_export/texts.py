"""What texts bring into a bundle beside graphs: tokenizers and banks; and the checks of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import plait
from plait import ConfigError
from plait_export import reference
from plait_export.describe import Deployment, Text, encoder_name, is_utf8
from plait_export.errors import ExportError

_BATCH = 64


def tokenizer_member(modality: str) -> str:
    """Where a modality's tokenizer lies in the bundle."""
    return f"tokenizers/{modality}.json"


def head_tokenizer_member(head: str) -> str:
    """Where the tokenizer of a head lies: apart from a modality's of the same name."""
    return f"tokenizers/{head}.head.json"


def bank_member(modality: str) -> str:
    """Where the embeddings of a modality's prompts lie in the bundle."""
    return f"banks/{modality}.f32"


def check_text(text: Text, sample: object, where: str) -> None:
    """A str; one of the bank's where the device has no encoder. Raises ConfigError."""
    if not isinstance(sample, str) or not is_utf8(sample):
        raise ConfigError(
            where=where,
            expected="a str that UTF-8 can hold",
            got="a lone surrogate" if isinstance(sample, str) else type(sample).__name__,
            action="Pass the text itself.",
        )
    if sample.endswith("\0"):
        raise ConfigError(
            where=where,
            expected="a text that does not end with NUL",
            got=repr(sample[-20:]),
            action="Strip it: golden data, which are NumPy arrays, can't hold it.",
        )
    if not text.encoder_in_bundle and sample not in (text.bank or ()):
        raise ConfigError(
            where=where,
            expected="a prompt of the bank, as the bundle gets no text encoder",
            got=repr(sample[:80]),
            action="Add it to bank, or set encoder_in_bundle=True.",
        )


def check_ids(deployment: Deployment, samples: Sequence[Mapping[str, Any]]) -> None:
    """Proves on real texts that the core gives the ids of `tokenizers`. Raises ExportError."""
    for name, text in deployment.modalities.items():
        if not isinstance(text, Text):
            continue
        core = plait.Tokenizer(text.tokenizer_json)
        prompts = dict.fromkeys([*(text.bank or ()), *(sample[name] for sample in samples)])
        for prompt in prompts:
            expected = reference.token_ids(text, prompt)
            got = core.encode(prompt, special_tokens=text.special_tokens)
            if got != expected:
                raise ExportError(
                    where=f"modality {name}, text {prompt[:80]!r}",
                    expected=f"the ids of `tokenizers`, {expected[:20]}",
                    got=str(got[:20]),
                    action="Plait reads this tokenizer wrongly: report it with this message.",
                )


def bank_of(text: Text, embed: Any) -> NDArray[np.float32]:
    """The embeddings [prompts, ...] of a bank. embed: from prepared batches."""
    prompts = list(text.bank or ())
    return np.concatenate(
        [
            embed(reference.prepare_all(text, prompts[start : start + _BATCH]))
            for start in range(0, len(prompts), _BATCH)
        ]
    )


def members_of(name: str, text: Text, bank: NDArray[np.float32] | None) -> dict[str, bytes]:
    """The files of one modality."""
    members = {tokenizer_member(name): text.tokenizer_json}
    if bank is not None:
        members[bank_member(name)] = bank.astype("<f4").tobytes()
    return members


def describe_members(name: str, text: Text, embedding: Sequence[int]) -> dict[str, Any]:
    """The fields of the section "text" that name its members. embedding: shape of one."""
    fields: dict[str, Any] = {"tokenizer": tokenizer_member(name)}
    if text.bank is not None:
        fields["bank"] = {
            "member": bank_member(name),
            "embedding": list(embedding),
            "prompts": list(text.bank),
        }
    return fields


def leave_encoders_out(
    deployment: Deployment, manifest: dict[str, Any], files: dict[str, bytes]
) -> None:
    """Drops, in place, the encoders of texts that stay in the workshop, and files only they use."""
    names = {
        name
        for name, modality in deployment.modalities.items()
        if isinstance(modality, Text) and not modality.encoder_in_bundle
    }
    graphs = {encoder_name(name) for name in names}
    for modality in manifest["modalities"]:
        if modality["name"] in names:
            del modality["encoder"]
    manifest["graphs"] = [graph for graph in manifest["graphs"] if graph["name"] not in graphs]
    for variant in manifest["variants"]:
        for graph in graphs:
            variant["members"].pop(graph, None)
    used = {member for variant in manifest["variants"] for member in variant["members"].values()}
    for member in [name for name in files if name.startswith("graphs/") and name not in used]:
        del files[member]
