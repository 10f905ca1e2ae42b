"""A gate for networks that nobody has labels for: variants have to answer as PyTorch does."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plait_export.describe import Classification, Deployment, Generation, Head
from plait_export.gate import Gate
from plait_export.metrics import Metric, word_agreement
from plait_export.samples import Sample


def label_agreement(scores: NDArray[Any], targets: NDArray[Any]) -> float:
    """The share of samples whose highest score is where the network's was in float32."""
    return float(np.mean(np.argmax(scores, axis=1) == targets))


def cosine_agreement(scores: NDArray[Any], targets: NDArray[Any]) -> float:
    """The mean cosine of the angle between answers and the network's in float32, both measured from
    the mean of the latter: what all answers have in common says nothing. 0 beside one that is all
    zeros. Of a single sample the whole answers are taken."""
    flat = targets.reshape(len(targets), -1)
    common = flat.mean(axis=0) if len(flat) > 1 else np.zeros_like(flat[0])
    scores, flat = scores - common, flat - common
    norms = np.linalg.norm(scores, axis=1) * np.linalg.norm(flat, axis=1)
    products = np.sum(scores * flat, axis=1)
    return float(np.mean(np.divide(products, norms, out=np.zeros_like(norms), where=norms > 0.0)))


def agreement(deployment: Deployment, samples: Iterable[Sample], max_drop: float = 0.01) -> Gate:
    """What PyTorch answers with everything present becomes the target.

    samples: raw and real, others than those of the calibration. The metric is `label_agreement` of
    a classification, `word_agreement` of a generation's greedy texts, else `cosine_agreement`. It
    says nothing of how good a network is, only what precision takes from it. Runs every encoder and
    head once a sample, in this process.
    """
    from plait_export import reference  # takes seconds: torch, and onnx
    from plait_export.generation import greedy_texts
    from plait_export.graphs import head_feeds
    from plait_export.trace import encoder_of, run_module

    encoders = {
        name: copy.deepcopy(encoder_of(modality)).eval()
        for name, modality in deployment.modalities.items()
    }
    heads = {
        name: copy.deepcopy(_answering(head)).eval() for name, head in deployment.heads.items()
    }
    held_out = []
    for sample in samples:
        embeddings = {
            name: run_module(encoders[name], [reference.prepare(modality, sample[name])])
            for name, modality in deployment.modalities.items()
        }
        targets: dict[str, Any] = {}
        for name, head in deployment.heads.items():
            names = deployment.head_modalities(name)
            feeds = head_feeds(names, embeddings, names)
            answer = run_module(heads[name], list(feeds.values()))
            if isinstance(head, Classification):
                targets[name] = int(np.argmax(answer))
            elif isinstance(head, Generation):
                targets[name] = greedy_texts(head, answer, feeds["presence"])[0]
            else:
                targets[name] = answer[0]
        held_out.append((sample, targets))
    metrics = {name: _metric(head) for name, head in deployment.heads.items()}
    return Gate(metrics, held_out, max_drop=max_drop)


def _answering(head: Head) -> Any:
    from plait_export.generation import MemoryOf

    return MemoryOf(head.module) if isinstance(head, Generation) else head.module


def _metric(head: Head) -> Metric:
    if isinstance(head, Generation):
        return word_agreement
    return label_agreement if isinstance(head, Classification) else cosine_agreement
