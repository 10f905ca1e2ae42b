"""A loaded bundle, and what it answers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from plait import _core
from plait._core import SignalState
from plait.errors import BackendError, ConfigError
from plait.feature_stream import FeatureStream
from plait.frame import Frame, check_region
from plait.generation import GeneratedText, Generators, OnToken
from plait.library import find_onnxruntime
from plait.points import Points
from plait.series import Series
from plait.sound import Sound

Sample: TypeAlias = NDArray[Any] | Series | Frame | Sound | Points | Any
"""Of a signal: an array [time, channels] or a Series. Of a frame: an array in the declared format,
or a Frame. Of a sound: an array [frames] or [frames, channels], or a Sound. Of a text: a str. Of
points: an array [points, channels], or a Points. An array is NumPy's, or anything that offers
DLPack on the CPU."""


@dataclass(frozen=True)
class Quality:
    """What the exporter measured on held-out data with these modalities and this precision."""

    metric: str
    value: float


@dataclass(frozen=True)
class Timings:
    """Nanoseconds of every stage of one run. An absent modality took none."""

    prepare_ns: dict[str, int]
    encode_ns: dict[str, int]
    fuse_ns: dict[str, int]
    total_ns: int


@dataclass(frozen=True, eq=False)
class Answer:
    """What one head says. Arrays are read-only views of the result's memory.

    Attributes:
        name: the head.
        output: logits [classes], value [values], embedding [...] or, of a generation, the memory
            that Model.generate says tokens from; float32. None when none of the head's modalities
            was present: then there is no answer.
        scores: softmax of the logits [classes]; None where the head does not classify.
        best: index of the highest score, or None.
        label: its label, or None.
        expected_quality: what to expect of such an answer, where the bundle knows.
    """

    name: str
    output: NDArray[np.float32] | None
    scores: NDArray[np.float32] | None
    best: int | None
    label: str | None
    expected_quality: Quality | None


class Result:
    """The answers of all heads to one set of samples, and what they rest on."""

    def __init__(self, core: _core.Result, heads: tuple[str, ...]) -> None:
        self._core = core
        self.heads = heads

    def __getitem__(self, head: str) -> Answer:
        """The answer of a head. Raises ConfigError for a head the bundle does not have."""
        parts = self._core.answer(head)
        if parts is None:
            return Answer(head, None, None, None, None, None)
        output, scores, best, label, quality = parts
        return Answer(head, output, scores, best, label, quality and Quality(*quality))

    def __iter__(self) -> Iterator[str]:
        return iter(self.heads)

    @property
    def core(self) -> _core.Result:
        """The core's own result, for what else takes one."""
        return self._core

    @property
    def presence(self) -> dict[str, str]:
        """Per modality "fresh", "cached" (an embedding computed earlier) or "absent"."""
        return self._core.presence()

    @property
    def expected_quality(self) -> Quality | None:
        """The first head's expected quality."""
        return self[self.heads[0]].expected_quality

    @property
    def timings(self) -> Timings:
        """Nanoseconds of every stage."""
        modalities, heads, total = self._core.timings_ns()
        return Timings(
            prepare_ns={name: prepare for name, (prepare, _) in modalities.items()},
            encode_ns={name: encode for name, (_, encode) in modalities.items()},
            fuse_ns=heads,
            total_ns=total,
        )

    @property
    def timings_ms(self) -> dict[str, float]:
        """Milliseconds of all preparing, encoding and fusing, and in total."""
        timings = self.timings
        return {
            "prepare": sum(timings.prepare_ns.values()) / 1e6,
            "encode": sum(timings.encode_ns.values()) / 1e6,
            "fuse": sum(timings.fuse_ns.values()) / 1e6,
            "total": timings.total_ns / 1e6,
        }

    def __repr__(self) -> str:
        labels = {head: self[head].label for head in self.heads}
        return f"Result({labels}, presence={self.presence})"


class Model:
    """A loaded bundle. Thread-safe; the GIL is released while the core works. See load()."""

    def __init__(self, core: _core.Model, path: str) -> None:
        self._core = core
        self._generators = Generators(core)
        self.path = path

    def generate(
        self,
        head: str,
        result: Result | None = None,
        /,
        *,
        prompt: str | Sequence[int] | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        repetition_penalty: float | None = None,
        beams: int | None = None,
        length_penalty: float | None = None,
        seed: int = 0,
        stop: Sequence[str] = (),
        stop_tokens: Sequence[int] = (),
        on_token: OnToken | None = None,
        **samples: Sample | None,
    ) -> GeneratedText:
        """A text from a head of kind "generation", as docs/generation.md explains.

        Args:
            head: its name.
            result: what this model answered to samples; None to give the samples here.
            prompt: what the text goes on from: a text, or token ids.
            max_tokens, temperature, top_k, top_p, repetition_penalty, beams, length_penalty: None
                for what the bundle states. temperature 0 takes the most likely token.
            seed: of what is drawn: the same seed, the same text.
            stop: texts that end the text, and are cut off it.
            stop_tokens: tokens that end it, besides the bundle's.
            on_token: called with each SaidToken; False ends the text.
            samples: as for calling the model.

        Raises:
            SampleError: a sample or the prompt is not what the bundle declares.
            ConfigError: an option makes no sense, or asks for more than the cache holds.
            BackendError: a graph failed, or answered NaN.
        """
        given = self(**samples) if result is None else result
        options = {
            "max_tokens": max_tokens,
            "temperature": temperature,
            "top_k": top_k,
            "top_p": top_p,
            "repetition_penalty": repetition_penalty,
            "beams": beams,
            "length_penalty": length_penalty,
            "seed": seed,
            "stop": list(stop),
            "stop_tokens": list(stop_tokens),
        }
        return self._generators.generate(
            head, given, prompt=prompt, options=options, on_token=on_token
        )

    def __call__(self, /, **samples: Sample | None) -> Result:
        """Prepares, encodes and fuses.

        Every modality of the bundle is named exactly once, with a sample or with None for absent:
        what is not said is an error, not a guess. Encoders of absent modalities are not run.

        Raises:
            SampleError: a sample is not what the bundle declares, or a modality is not named.
            BackendError: a graph failed.
        """
        return Result(self._core.run(samples), self.heads)

    def prepare(self, modality: str, sample: Sample) -> NDArray[Any]:
        """Raw sample -> encoder input, [1, ...]; of texts int64, of frames as declared."""
        return self._core.prepare(modality, sample)

    def encode(self, modality: str, sample: Sample) -> NDArray[np.float32]:
        """Raw sample -> embedding, [1, ...]."""
        return self._core.encode(modality, sample)

    def encode_prepared(self, modality: str, prepared: NDArray[Any]) -> NDArray[np.float32]:
        """Encoder input [1, ...] -> embedding [1, ...]."""
        return self._core.encode_prepared(modality, prepared)

    def prepare_regions(
        self, modality: str, frame: Any, regions: Sequence[Sequence[int]]
    ) -> NDArray[Any]:
        """Several regions of one frame -> encoder inputs [regions, ...], over all threads.

        Each row is, bit for bit, what prepare() gives of the frame with that region. The frame
        itself states no region; each of regions is (x, y, width, height) in its pixels.

        Raises:
            SampleError: a frame or a region is not what the bundle can take.
            ConfigError: the modality is not of kind "frame".
        """
        return self._core.prepare_regions(modality, frame, [check_region(r) for r in regions])

    def encode_regions(
        self, modality: str, frame: Any, regions: Sequence[Sequence[int]]
    ) -> NDArray[np.float32]:
        """The same, and through the encoder as one batch -> embeddings [regions, ...].

        A batch may round otherwise than single runs do.
        """
        return self._core.encode_regions(modality, frame, [check_region(r) for r in regions])

    def feature_stream(self, modality: str) -> FeatureStream:
        """Features of a modality of kind "sound", chunk by chunk.

        Raises:
            ConfigError: the modality is of another kind, or a waveform, which has no frames.
        """
        return FeatureStream(self._core.feature_stream(modality))

    def signal_state(self, modality: str) -> SignalState:
        """Where a stream of samples begins, of a signal whose normalisation is running.

        Pass it with every sample of the stream, as plait.Series(values, state=state). Its mean and
        variance, a value a channel, may be read, stored and set.

        Raises ConfigError for a modality of another kind or normalisation.
        """
        return self._core.signal_state(modality)

    def fuse(self, /, **embeddings: NDArray[np.float32] | None) -> Result:
        """Embeddings, each [1, ...] or None for absent -> answers. Every modality is named."""
        return Result(self._core.fuse(embeddings), self.heads)

    @property
    def name(self) -> str:
        """The bundle's own name for what it holds."""
        return str(self.manifest["name"])

    @property
    def precision(self) -> str:
        """The precision that is running: the asked-for one, or the bundle's default."""
        return self._core.precision()

    @property
    def backend(self) -> str:
        """What runs the graphs, for example "onnxruntime 1.32.0, cpu, 2 threads"."""
        return self._core.backend()

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The bundle's manifest, as docs/bundle.md describes it."""
        manifest: dict[str, Any] = json.loads(self._core.manifest_json())
        return manifest

    @cached_property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities, in the bundle's order."""
        return tuple(modality["name"] for modality in self.manifest["modalities"])

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads, in the bundle's order."""
        return tuple(head["name"] for head in self.manifest["heads"])

    def __repr__(self) -> str:
        return f"Model({self.name!r}, {self.precision}, {self.backend})"


def load(
    path: str | os.PathLike[str],
    device: str = "auto",
    precision: str | None = None,
    threads: int | None = None,
    *,
    onnxruntime: str | os.PathLike[str] | None = None,
    tensorrt: str | os.PathLike[str] | None = None,
    cudart: str | os.PathLike[str] | None = None,
    engine_cache: str | os.PathLike[str] | None = None,
    build: bool = False,
    verify: bool = True,
    spin: bool = False,
    arena: bool = True,
) -> Model:
    """Loads a bundle.

    Args:
        path: the bundle's file.
        device: "auto" or "cpu"; "tensorrt" for engines that `plait build` made here; "cuda" or
            "cuda-tensorrt" for the providers of an ONNX Runtime that has them.
        precision: "fp32", "int8", ...; None for the one the exporter chose, with "tensorrt" for the
            first that was made for it.
        threads: threads a graph; None for every CPU this process may use.
        onnxruntime: libonnxruntime.so; None for the one find_onnxruntime() finds.
        tensorrt, cudart: libnvinfer.so and libcudart.so; None for those docs/deploy.md finds.
        engine_cache: folder of TensorRT's engines; None for the usual one.
        build: with "tensorrt", build what no engine in the cache fits, as `plait build` does. It
            needs the Python packages tensorrt and onnx, takes minutes and much memory.
        verify: check the SHA-256 of every member that is read.
        spin: idle threads spin: lower latency, a core burnt.
        arena: ONNX Runtime keeps freed memory for the next run.

    Raises:
        BundleError: the file is missing, not a bundle, damaged, altered or too new.
        BackendError: ONNX Runtime or TensorRT is missing, too old, or refuses a graph; no engine
            fits this device, or can be built.
        ConfigError: an option makes no sense.
    """
    if threads is not None and threads < 1:
        raise ConfigError(
            where="threads",
            expected="at least 1, or None for every available CPU",
            got=str(threads),
        )
    if build and device != "tensorrt":
        raise ConfigError(
            where="build",
            expected="device 'tensorrt', for which engines are built",
            got=f"device '{device}'",
            action="Leave build out, or load with device='tensorrt'.",
        )
    # The core looks into $PLAIT_ONNXRUNTIME by itself, and lets a running library stand.
    library = onnxruntime or (None if "PLAIT_ONNXRUNTIME" in os.environ else find_onnxruntime())
    file = os.fspath(path)

    def open_core() -> _core.Model:
        return _core.Model(
            path=file,
            device=device,
            precision=precision or "",
            threads=threads or 0,
            onnxruntime=os.fspath(library) if library else "",
            tensorrt=os.fspath(tensorrt or ""),
            cudart=os.fspath(cudart or ""),
            engine_cache=os.fspath(engine_cache or ""),
            verify=verify,
            spin=spin,
            arena=arena,
        )

    try:
        core = open_core()
    except BackendError:
        if not build:
            raise
        # Only now: who finds engines needs no builder.
        from plait.engines import build_to_load

        build_to_load(file, precision, engine_cache)
        core = open_core()
    return Model(core, file)
