"""Runs candidates through the core on held-out samples, every encoder once a sample.

A head is cheap beside its encoders, so each sample is prepared once and each encoder graph embeds
it once, however many presence sets and candidates share that graph.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import plait
from plait_export import reference
from plait_export.bundle import write_bundle
from plait_export.candidate import Candidate
from plait_export.describe import Classification, Generation, Text, encoder_name
from plait_export.errors import ExportError
from plait_export.graphs import FloatArray, relative_error
from plait_export.manifest import describe_deployment, describe_variant, graph_members
from plait_export.presence import PresenceSet
from plait_export.samples import Sample
from plait_export.trace import Traced

_CACHED_EMBEDDINGS = 64
_TORCH_BATCH = 256


@dataclass(frozen=True)
class Answers:
    """What the core answered, per head and presence set it can answer in, as [samples, values].

    outputs: logits, values, embeddings or memories. scores: the same, but softmax for a
    classification and texts, [samples], for a generation.
    """

    outputs: dict[tuple[str, PresenceSet], FloatArray]
    scores: dict[tuple[str, PresenceSet], FloatArray]


class Workbench:
    """Candidate bundles in a folder, and the samples they are tried on.

    sets: presence sets, everything present first. folder: is not cleaned up here.
    """

    def __init__(
        self, traced: Traced, samples: Sequence[Sample], sets: list[PresenceSet], folder: Path
    ) -> None:
        self.traced = traced
        self.samples = samples
        self.sets = sets
        self._folder = folder
        self._written = 0
        self._prepared: dict[str, list[FloatArray]] = {}
        self._embeddings: OrderedDict[tuple[str, str, int], list[FloatArray]] = OrderedDict()

    def load(self, candidate: Candidate) -> plait.Model:
        """The candidate as the core loads it: from a bundle file."""
        files, table = graph_members([replace(candidate, graphs=candidate.runnable)])
        manifest = {
            **describe_deployment(self.traced),
            "variants": [describe_variant(candidate, table[candidate.name])],
            "default_precision": candidate.name,
        }
        self._written += 1
        path = self._folder / f"candidate-{self._written}.plait"
        write_bundle(path, manifest, {**files, **self.traced.members}, durable=False)
        model = plait.load(str(path))
        path.unlink()
        return model

    def answers(self, candidate: Candidate, every: int = 1) -> Answers:
        """Answers to every `every`-th sample, in all presence sets."""
        model = self.load(candidate)
        deployment = self.traced.deployment
        embeddings = {name: self._embed(model, candidate, name, every) for name in model.modalities}
        count = len(range(0, len(self.samples), every))
        outputs: dict[tuple[str, PresenceSet], list[FloatArray]] = {}
        scores: dict[tuple[str, PresenceSet], list[FloatArray]] = {}
        for present in self.sets:
            for index in range(count):
                given = {
                    name: embeddings[name][index] if name in present else None
                    for name in model.modalities
                }
                result = model.fuse(**given)
                for head, described in deployment.heads.items():
                    answer = result[head]
                    if answer.output is None:
                        continue
                    output = np.array(answer.output, dtype=np.float32).reshape(-1)
                    outputs.setdefault((head, present), []).append(output)
                    if isinstance(described, Classification):
                        output = np.array(answer.scores, dtype=np.float32)
                    elif isinstance(described, Generation):
                        output = np.array(model.generate(head, result).text, dtype=object)
                    scores.setdefault((head, present), []).append(output)
        return Answers(
            outputs={key: np.stack(rows) for key, rows in outputs.items()},
            scores={key: np.stack(rows) for key, rows in scores.items()},
        )

    def errors_against_torch(self, answers: Answers) -> dict[tuple[str, PresenceSet], float]:
        """Relative error of answers to all samples against NumPy preprocessing and PyTorch.

        answers: of this workbench, to every sample. Where preprocessing is not exact PyTorch gets
        what the core prepared, which has to be within the bound; otherwise ExportError.
        """
        deployment = self.traced.deployment
        embeddings = {
            name: np.concatenate(
                [
                    self.traced.embed(name, self._reference_input(name, start))
                    for start in range(0, len(self.samples), _TORCH_BATCH)
                ]
            )
            for name in deployment.modalities
        }
        errors = {}
        for (head, present), outputs in answers.outputs.items():
            expected = self.traced.answer(head, embeddings, present)
            errors[head, present] = relative_error(outputs, expected.reshape(len(expected), -1))
        return errors

    def _reference_input(self, name: str, start: int) -> FloatArray:
        """The batch of one modality's prepared samples that begins with sample `start`."""
        modality = self.traced.deployment.modalities[name]
        stop = min(start + _TORCH_BATCH, len(self.samples))
        prepared = [reference.prepare(modality, s[name]) for s in self.samples[start:stop]]
        if reference.is_exact(modality):
            return np.concatenate(prepared)
        for index, expected in enumerate(prepared, start):
            error = relative_error(self._prepared[name][index], expected)
            limit = reference.bound(modality, expected)
            if not error <= limit:
                raise ExportError(
                    where=f"modality {name}, held-out sample {index}, prepared",
                    expected=f"the reference within {limit:.3g} of its largest value",
                    got=f"a relative error of {error:.3g}",
                    action="Plait prepares it wrongly here: report it with this message.",
                )
        return np.concatenate(self._prepared[name][start:stop])

    def _embed(
        self, model: plait.Model, candidate: Candidate, modality: str, every: int
    ) -> list[FloatArray]:
        graph = candidate.runnable[encoder_name(modality)]
        key = (modality, hashlib.sha256(graph).hexdigest(), every)
        if key in self._embeddings:
            self._embeddings.move_to_end(key)
            return self._embeddings[key]
        described = self.traced.deployment.modalities[modality]
        if isinstance(described, Text) and described.bank is not None:
            # A bank answers for its prompts, on the device too.
            samples = self.samples[::every]
            embedded = [np.array(model.encode(modality, sample[modality])) for sample in samples]
            return self._keep(key, embedded)
        if modality not in self._prepared:
            self._prepared[modality] = [
                np.array(model.prepare(modality, sample[modality])) for sample in self.samples
            ]
        embedded = [
            np.array(model.encode_prepared(modality, prepared))
            for prepared in self._prepared[modality][::every]
        ]
        return self._keep(key, embedded)

    def _keep(self, key: tuple[str, str, int], embedded: list[FloatArray]) -> list[FloatArray]:
        self._embeddings[key] = embedded
        if len(self._embeddings) > _CACHED_EMBEDDINGS:
            self._embeddings.popitem(last=False)
        return embedded
