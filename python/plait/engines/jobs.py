"""Which engines a bundle needs: one for each file of a variant, with the shapes it will see."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plait.bundle import Bundle
from plait.errors import ConfigError

Batch = tuple[int, int, int]


@dataclass(frozen=True)
class Job:
    """One engine. profiles: by input, the smallest, the most frequent and the largest shape."""

    graph: str
    precision: str
    member: str
    sha256: str
    bytes: int
    fused: bool
    profiles: Mapping[str, list[list[int]]]
    kept_fp32: tuple[Mapping[str, Any], ...]

    @property
    def name(self) -> str:
        """ "motion_encoder, fp16_tensorrt": of messages and reports."""
        return f"{self.graph}, {self.precision}"

    @property
    def profiles_json(self) -> str:
        """As the engine cache knows them."""
        return json.dumps(self.profiles, separators=(",", ":"), sort_keys=True)


def jobs_of(
    bundle: Bundle, precisions: Sequence[str] | None = None, batch: Batch = (1, 1, 1)
) -> list[Job]:
    """In the order of variants and graphs; files that variants share are built once.

    precisions: variants' names; None: all that were made for engines, else FP32. batch: smallest,
    most frequent and largest. Raises ConfigError for what engines can't be built from.
    """
    _check_batch(batch)
    variants = {variant["precision"]: variant for variant in bundle.manifest["variants"]}
    jobs: dict[str, Job] = {}
    for name in _chosen(bundle, variants, precisions):
        for job in _of_variant(bundle, variants[name], batch):
            jobs.setdefault(job.sha256, job)
    return list(jobs.values())


def _chosen(
    bundle: Bundle, variants: Mapping[str, Mapping[str, Any]], precisions: Sequence[str] | None
) -> list[str]:
    buildable = [name for name, variant in variants.items() if _is_buildable(variant)]
    if precisions is None:
        made = [n for n in buildable if _target(variants[n]) == "tensorrt"]
        portable = [n for n in made or buildable if variants[n]["form"] == "portable"]
        return portable or buildable
    for name in precisions:
        if name not in buildable:
            raise ConfigError(
                where=bundle.name,
                expected=f"precisions that engines are built from ({', '.join(buildable)})",
                got=f"'{name}', which is {'made for ONNX Runtime' if name in variants else 'none'}",
                action='Export with engines=("fp16", "int8"): TensorRT wants symmetric 8 bits and '
                "every type in the graph.",
            )
    return list(dict.fromkeys(precisions))


def _is_buildable(variant: Mapping[str, Any]) -> bool:
    """FP32 needs nothing special; what was quantized or halved for ONNX Runtime has other types."""
    return _target(variant) == "tensorrt" or variant["precision"].partition("_")[0] == "fp32"


def _target(variant: Mapping[str, Any]) -> str:
    return str(variant.get("target", "onnxruntime"))


def _of_variant(bundle: Bundle, variant: Mapping[str, Any], batch: Batch) -> Iterator[Job]:
    graphs = {graph["name"]: graph for graph in bundle.manifest["graphs"]}
    for graph, member in variant["members"].items():
        described = bundle.manifest["members"][member]
        kept = [row for row in variant.get("kept_fp32", ()) if row["graph"] == graph]
        yield Job(
            graph=graph,
            precision=variant["precision"],
            member=member,
            sha256=described["sha256"],
            bytes=described["bytes"],
            fused=variant["form"] == "fused",
            profiles={
                tensor["name"]: [[size, *tensor["shape"][1:]] for size in batch]
                for tensor in graphs[graph]["inputs"]
            },
            kept_fp32=tuple(kept),
        )


def _check_batch(batch: Batch) -> None:
    smallest, best, largest = batch
    if not 1 <= smallest <= best <= largest:
        raise ConfigError(
            where="batch",
            expected="smallest, most frequent and largest, in this order and at least 1",
            got=",".join(map(str, batch)),
            action="The runtime runs batches of 1, which is the default: 1,1,1.",
        )
