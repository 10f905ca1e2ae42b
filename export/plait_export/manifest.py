"""The bundle's manifest out of what was described, traced and chosen."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from plait_export.candidate import Candidate
from plait_export.describe import (
    Classification,
    Deployment,
    Embedding,
    Generation,
    Regression,
    Text,
    encoder_name,
    head_name,
    step_name,
)
from plait_export.texts import describe_members, head_tokenizer_member
from plait_export.trace import Traced

FORMAT = {"major": 1, "minor": 0}


def describe_deployment(traced: Traced) -> dict[str, Any]:
    """The sections that do not depend on precisions."""
    deployment = traced.deployment
    return {
        "format": "plait-bundle",
        "format_version": dict(FORMAT),
        "name": deployment.name,
        "description": deployment.description,
        "created": _now(),
        "modalities": [_describe_modality(traced, name) for name in deployment.modalities],
        "graphs": [graph.to_manifest() for graph in traced.graphs.values()],
        "heads": [_describe_head(deployment, name) for name in deployment.heads],
    }


def graph_members(
    candidates: Sequence[Candidate],
) -> tuple[dict[str, bytes], dict[str, dict[str, str]]]:
    """Files of all candidates, and per variant which file each graph runs from.

    Variants whose graph is the same, byte for byte, share the file of the first.
    """
    files: dict[str, bytes] = {}
    table: dict[str, dict[str, str]] = {}
    for candidate in candidates:
        table[candidate.name] = {}
        for graph, onnx in candidate.graphs.items():
            own = f"graphs/{graph}.{candidate.name}.onnx"
            same = next(
                (
                    names[graph]
                    for names in table.values()
                    if graph in names and files[names[graph]] == onnx
                ),
                own,
            )
            files[same] = onnx
            table[candidate.name][graph] = same
    return files, table


def describe_variant(candidate: Candidate, members: Mapping[str, str]) -> dict[str, Any]:
    """A row of `variants`."""
    described: dict[str, Any] = {
        "precision": candidate.name,
        "scheme": candidate.scheme,
        "form": candidate.form,
        "target": candidate.target,
        "members": dict(members),
    }
    if candidate.kept:
        described["kept_fp32"] = [layer.to_json() for layer in candidate.kept]
    return described


def _describe_modality(traced: Traced, name: str) -> dict[str, Any]:
    modality = traced.deployment.modalities[name]
    described: dict[str, Any] = {
        "name": name,
        "encoder": encoder_name(name),
        "max_age_ms": float(modality.max_age_ms),
        "when_missing": modality.when_missing,
        **modality.to_manifest(),
    }
    if isinstance(modality, Text):
        embedding = traced.encoder(name).output.shape
        described["text"] |= describe_members(name, modality, embedding)
    return described


def _describe_head(deployment: Deployment, name: str) -> dict[str, Any]:
    head = deployment.heads[name]
    described: dict[str, Any] = {
        "name": name,
        "kind": head.kind,
        "graph": head_name(name),
        "modalities": list(deployment.head_modalities(name)),
    }
    if isinstance(head, (Classification, Regression)):
        described["labels"] = list(head.labels)
    if isinstance(head, Generation):
        described["generation"] = head.to_manifest(step_name(name), head_tokenizer_member(name))
        if head.labels is not None:
            described["labels"] = list(head.labels)
    if isinstance(head, Regression):
        described["units"] = list(head.units)
    if isinstance(head, Embedding) and head.space is not None:
        described["space"] = asdict(head.space)
    return described


def _now() -> str:
    # Reproducible builds state their own clock.
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    seconds = int(epoch) if epoch is not None and epoch.isdigit() else None
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
