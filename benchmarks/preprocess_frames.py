"""What preparing a camera frame costs: part of preprocess.py.

A photo of 1920 x 1080 becomes a normalised [1, 3, 224, 224]: shorter side to 224, centre crop.
One thread everywhere but where a row says two. Peers do the same work unless their name says
otherwise; every answer is compared with PIL's before anything is timed. OpenCV and transformers
take part where they are installed, and scikit-image's photo where that is.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import plait
from benchmarks import harness
from tests.cases.frame_bundle import frame_section, write_frame_bundle

WIDTH, HEIGHT, SIDE = 1920, 1080, 224
RESIZED = SIDE * WIDTH // HEIGHT
LEFT = (RESIZED - SIDE) // 2
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
PIL_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
COPIED_BYTES = 64 << 20
SHARED = ("bgr8_bicubic_fast", "bgr8_bicubic_exact", "bgr8_bilinear_fast", "nv12_bicubic_fast")
REGIONS = [(240 * i, 90 * i, 240 + 40 * (i % 3), 300 + 20 * (i % 2)) for i in range(7)]
REGIONS.append((0, 0, WIDTH, HEIGHT // 2))

Pixels = NDArray[np.uint8]
Input = NDArray[np.float32]


def optional(name: str) -> Any:
    """The module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def photo() -> Pixels:
    """[HEIGHT, WIDTH, 3] of red, green, blue."""
    images = optional("skimage.data")
    if images is not None:
        image = Image.fromarray(images.astronaut())
    else:
        noise = np.random.default_rng(0).integers(0, 256, (68, 120, 3), dtype=np.uint8)
        image = Image.fromarray(noise)
    return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))


def as_nv12(rgb: Pixels) -> Pixels:
    """[HEIGHT * 3 / 2, WIDTH]: BT.601, limited range, as OpenCV reads it back."""
    red, green, blue = (rgb[..., c].astype(np.float32) for c in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    out = np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8)
    out[:HEIGHT] = np.rint(16 + luma * (219 / 255))
    chroma = out[HEIGHT:].reshape(HEIGHT // 2, WIDTH // 2, 2)
    for i, colour, share in ((0, blue, 1.772), (1, red, 1.402)):
        difference = (colour - luma) / share * (224 / 255)
        blocks = difference.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).mean(axis=(1, 3))
        chroma[..., i] = np.rint(128 + blocks)
    return out


def normalised(rgb: Pixels) -> Input:
    """[SIDE, SIDE, 3] -> [1, 3, SIDE, SIDE]."""
    scaled = (rgb.astype(np.float32) / np.float32(255) - MEAN) / STD
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def by_pil(bgr: Pixels, filter_name: str) -> Input:
    """The script one writes today: PIL resizes, NumPy normalises."""
    image = Image.fromarray(bgr[..., ::-1]).resize((RESIZED, SIDE), PIL_FILTERS[filter_name])
    return normalised(np.asarray(image.crop((LEFT, 0, LEFT + SIDE, SIDE))))


def onnxruntime_resize(filter_name: str) -> Callable[[Pixels], Input]:
    """The same as one graph around Resize with antialias, of one thread."""
    mode = {"bicubic": "cubic", "bilinear": "linear"}[filter_name]
    constants: dict[str, NDArray[Any]] = {
        "reversed": np.array([2, 1, 0], np.int64),
        "none": np.array([], np.float32),
        "sizes": np.array([1, 3, SIDE, RESIZED], np.int64),
        "starts": np.array([LEFT], np.int64),
        "ends": np.array([LEFT + SIDE], np.int64),
        "axes": np.array([3], np.int64),
        "darkest": np.array(0, np.float32),
        "brightest": np.array(255, np.float32),
        "scale": (1 / (255 * STD)).reshape(1, 3, 1, 1).astype(np.float32),
        "shift": (-MEAN / STD).reshape(1, 3, 1, 1).astype(np.float32),
    }
    nodes = [
        helper.make_node("Gather", ["bgr", "reversed"], ["rgb"], axis=3),
        helper.make_node("Transpose", ["rgb"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node(
            "Resize",
            ["levels", "none", "", "sizes"],
            ["resized"],
            mode=mode,
            antialias=1,
            cubic_coeff_a=-0.5,
            exclude_outside=1,
            coordinate_transformation_mode="half_pixel",
        ),
        helper.make_node("Slice", ["resized", "starts", "ends", "axes"], ["cropped"]),
        helper.make_node("Clip", ["cropped", "darkest", "brightest"], ["clipped"]),
        helper.make_node("Mul", ["clipped", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["input"]),
    ]
    graph = helper.make_graph(
        nodes,
        "preprocess",
        [helper.make_tensor_value_info("bgr", TensorProto.UINT8, [1, HEIGHT, WIDTH, 3])],
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def run(bgr: Pixels) -> Input:
        prepared: Input = session.run(None, {"bgr": bgr[None]})[0]
        return prepared

    return run


def clip_processors() -> dict[str, Any]:
    """transformers' CLIPImageProcessor, of its own defaults, in each backend that is installed."""
    found = {}
    for backend, needs, module, name in (
        ("PIL", "transformers", "image_processing_pil_clip", "CLIPImageProcessorPil"),
        ("torchvision", "torchvision", "image_processing_clip", "CLIPImageProcessor"),
    ):
        if optional(needs) is None or optional("transformers") is None:
            continue
        package = optional(f"transformers.models.clip.{module}")
        if package is not None:
            found[f"transformers CLIP ({backend})"] = getattr(package, name)()
    return found


def write_cameras(folder: Path) -> Path:
    """A bundle of one camera a way of preparing."""
    common: dict[str, Any] = {
        "fit": "shortest",
        "size": (SIDE, SIDE),
        "crop": (SIDE, SIDE),
        "scale": 1 / 255,
        "mean": [float(value) for value in MEAN],
        "std": [float(value) for value in STD],
        "layout": "NCHW",
        "matrix": "bt601",
    }
    sections = {
        f"{pixels}_{filter_name}_{arithmetic}": frame_section(
            format=pixels, filter=filter_name, arithmetic=arithmetic, **common
        )
        for pixels in ("bgr8", "nv12")
        for filter_name in PIL_FILTERS
        for arithmetic in ("fast", "exact")
    }
    for dtype in ("float16", "uint8"):
        units = {} if dtype == "float16" else {"scale": 1.0, "mean": [0.0] * 3, "std": [1.0] * 3}
        sections[f"bgr8_bicubic_fast_{dtype}"] = frame_section(
            format="bgr8", filter="bicubic", arithmetic="fast", dtype=dtype, **{**common, **units}
        )
    return write_frame_bundle(folder / "frames.plait", sections)


def contestants(bundle: Path) -> dict[str, Callable[[], Any]]:
    """Ours and the peers, by name, on one photo."""
    model, two = (plait.load(bundle, threads=threads) for threads in (1, 2))
    rgb = photo()
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    nv12 = as_nv12(rgb)

    def ours(name: str) -> Callable[[], Input]:
        frame = nv12 if name.startswith("nv12") else bgr
        return lambda: model.prepare(name, frame)

    calls: dict[str, Callable[[], Any]] = {name: ours(name) for name in model.modalities}
    for name in SHARED:
        frame = nv12 if name.startswith("nv12") else bgr
        calls[f"{name}, 2 threads"] = partial(two.prepare, name, frame)
    calls["regions"] = partial(model.prepare_regions, "bgr8_bicubic_fast", bgr, REGIONS)
    calls["regions, 2 threads"] = partial(two.prepare_regions, "bgr8_bicubic_fast", bgr, REGIONS)
    frames = [plait.Frame(bgr, region=region) for region in REGIONS]
    calls["region by region"] = lambda: np.concatenate(
        [model.prepare("bgr8_bicubic_fast", each) for each in frames]
    )
    for name, processor in clip_processors().items():
        calls[name] = partial(processor, rgb, return_tensors="np")
    for name in PIL_FILTERS:
        calls[f"PIL {name}"] = partial(by_pil, bgr, name)
        calls[f"ONNX Runtime {name}"] = partial(onnxruntime_resize(name), bgr)
    cv2 = optional("cv2")
    if cv2 is not None:
        cv2.setNumThreads(1)

        def linear() -> Input:
            small = cv2.resize(bgr, (RESIZED, SIDE), interpolation=cv2.INTER_LINEAR)
            return normalised(small[:, LEFT : LEFT + SIDE, ::-1])

        calls["OpenCV linear"] = linear
        calls["OpenCV + PIL"] = lambda: by_pil(
            cv2.cvtColor(nv12, cv2.COLOR_YUV2BGR_NV12), "bicubic"
        )
    source = np.ones(COPIED_BYTES, np.uint8)
    target = np.zeros_like(source)
    calls["copy"] = lambda: np.copyto(target, source)
    return calls


def check(calls: dict[str, Callable[[], Any]]) -> None:
    """All that claim the same work give PIL's answer: within a level, plus one for YUV."""
    level = 1 / (255 * float(STD.min()))
    np.testing.assert_array_equal(calls["regions"](), calls["region by region"]())
    for name, call in calls.items():
        if name in ("copy", "OpenCV linear") or name.startswith(("PIL", "region")):
            continue
        if name.endswith(", 2 threads"):
            np.testing.assert_array_equal(call(), calls[name.removesuffix(", 2 threads")]())
            continue
        filter_name = "bilinear" if "bilinear" in name else "bicubic"
        # ONNX Runtime repeats the border where PIL cuts its filter: those rows may differ.
        inner = np.s_[:, :, 4:-4] if name.startswith("ONNX") else np.s_[:]
        answer = call()
        if name.startswith("transformers"):
            answer = answer["pixel_values"]
        elif name.endswith("uint8"):
            answer = normalised(answer[0].transpose(1, 2, 0))
        difference = float(np.abs(answer - calls[f"PIL {filter_name}"]())[inner].max())
        # PIL rounds after each pass, uint8 once more; 8-bit YUV with halved chroma has lost some of
        # the photo.
        allowed = 32 * level if "nv12" in name or name == "OpenCV + PIL" else 2.01 * level
        if difference > allowed:
            raise SystemExit(f"{name} differs from PIL by {difference:.4f}: not the same work")


# Ours, the peer, what there is to say of it.
COMPARISONS = (
    ("bgr8_bicubic_fast", "PIL bicubic", ""),
    ("bgr8_bicubic_fast", "ONNX Runtime bicubic", ""),
    ("bgr8_bicubic_exact", "PIL bicubic", "bit for bit"),
    ("bgr8_bilinear_fast", "PIL bilinear", ""),
    ("bgr8_bilinear_fast", "ONNX Runtime bilinear", ""),
    ("bgr8_bilinear_fast", "OpenCV linear", "the peer does not antialias"),
    ("bgr8_bilinear_exact", "PIL bilinear", "bit for bit"),
    ("bgr8_bicubic_fast", "transformers CLIP (PIL)", "the peer gets RGB"),
    ("bgr8_bicubic_exact", "transformers CLIP (PIL)", "the same levels; the peer gets RGB"),
    ("bgr8_bicubic_fast", "transformers CLIP (torchvision)", "the peer gets RGB"),
    ("nv12_bicubic_fast", "OpenCV + PIL", ""),
    ("nv12_bicubic_exact", "OpenCV + PIL", ""),
    ("nv12_bicubic_fast", "bgr8_bicubic_fast", "the peer is our own BGR path"),
    ("bgr8_bicubic_fast_float16", "bgr8_bicubic_fast", "the peer writes float32"),
    ("bgr8_bicubic_fast_uint8", "bgr8_bicubic_fast", "the peer writes float32"),
    *((f"{name}, 2 threads", name, "the peer is one thread") for name in SHARED),
    ("regions, 2 threads", "region by region", "8 regions; the peer is one thread"),
)


def rows(rounds: int, seed: int) -> list[harness.Row]:
    """Measures every contestant; one row a comparison."""
    with tempfile.TemporaryDirectory() as folder:
        calls = contestants(write_cameras(Path(folder)))
        check(calls)
        taken = harness.interleave(calls, rounds, seed, warm_up=3)
    copy_rate = COPIED_BYTES / (taken["copy"].median / 1e3)
    return [
        comparison(ours, peer, note, taken, copy_rate)
        for ours, peer, note in COMPARISONS
        if peer in taken
    ]


def comparison(
    ours: str, peer: str, note: str, taken: dict[str, harness.Spread], copy_rate: float
) -> harness.Row:
    """A row, with what a frame's bytes a second are beside the machine's copying."""
    frame_bytes = WIDTH * HEIGHT * (1.5 if ours.startswith("nv12") else 3)
    what = f"1080p to {SIDE}"
    if ours.startswith("regions"):
        frame_bytes = sum(3.0 * width * height for _, _, width, height in REGIONS)
        what = f"each to {SIDE}"
    mine = taken[ours].median
    rate = f"{frame_bytes / (mine / 1e3) / 1e9:.1f} GB/s of frame"
    label, _, threads = ours.partition(", ")
    return harness.Row(
        name=", ".join(filter(None, (f"frame {label.replace('_', ' ')}", what, threads))),
        ours_ms=mine,
        peer=peer if "_" not in peer else "Plait " + peer.replace("_", " "),
        peer_ms=taken[peer].median,
        ratio=taken[peer].median / mine,
        roofline_ms=frame_bytes / copy_rate * 1e3,
        note=f"{rate}, copying {copy_rate / 1e9:.1f} GB/s" + (f"; {note}" if note else ""),
    )
