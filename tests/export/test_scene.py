"""The scene bundle: the published networks answer as published, and the whole of it runs on a real
video with sound, from export to JSON lines."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from silero_vad import load_silero_vad
from skimage import data

import plait
from plait import doctor, sources
from plait.cli.application import run
from plait_export import export_request
from plait_export.zoo import efficientnet_lite0, scene, silero
from tests.cases.sounds import prompt
from tests.cases.zoo_engines import PRECISIONS, build_for_three

# Photos of scikit-image, and classes of ImageNet that are right for them.
PHOTOS = {
    "chelsea": {"tabby", "tiger cat", "Egyptian cat"},
    "coffee": {"espresso"},
    "rocket": {"missile", "projectile", "space shuttle"},
}


def test_the_detector_answers_as_the_original_chunk_by_chunk(
    generator: np.random.Generator,
) -> None:
    torch.set_num_threads(1)
    original = load_silero_vad()
    listener, speech = silero.load()
    with sources.VideoSound(scene.video_file()) as track:
        sound = np.concatenate([chunk.sample.values for chunk in track]).mean(axis=1)
    there = torch.ones(1, 1)
    for _ in range(5):
        chunks = int(generator.integers(1, 40))
        begin = int(generator.integers(0, len(sound) - 3 * 512 * chunks))
        # Every third sample: what it sounds like does not matter here.
        heard = torch.from_numpy(sound[begin : begin + 3 * 512 * chunks : 3].copy())[None]
        original.reset_states()
        for chunk in heard.split(silero.CHUNK, dim=1):
            expected = float(original(chunk, silero.RATE_HZ)[0, 0])
        with torch.no_grad():
            scores = speech(listener(heard), there).softmax(dim=1)
        assert float(scores[0, 1]) == pytest.approx(expected, abs=1e-5)


def test_names_of_classes_differ() -> None:
    names = scene.class_names()
    assert len(names) == len(set(names)) == 1000
    assert names[281] == "tabby" and names[967] == "espresso"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scene") / "scene.plait"
    torch.set_num_threads(1)
    export_request(replace(scene.request(["--agree"]), engines=("fp16", "int8")), path)
    return path


def test_real_photos_get_their_labels(bundle: Path) -> None:
    model = plait.load(bundle)
    for name, right in PHOTOS.items():
        photo = plait.Frame(getattr(data, name)(), "rgb8")
        answer = model(image=photo, sound=None)
        assert answer["object"].label in right
        assert answer["speech"].output is None
        assert answer.presence == {"image": "fresh", "sound": "absent"}


def test_the_bundle_replays_its_golden_data(bundle: Path) -> None:
    assert doctor.replay(bundle).ok


def test_a_real_video_runs_from_file_to_lines(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", bundle, "--video", scene.video_file(), "--every", "0.5", "--top", "3"]
    assert run([str(argument) for argument in arguments]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    # The first answer is where the sound has a whole window.
    np.testing.assert_allclose(
        [line["time"] for line in lines], 1.024 + 0.5 * np.arange(len(lines)), atol=1e-6
    )
    assert len(lines) == 9
    by_torch = _answers_of_torch([line["time"] for line in lines])
    for line, (label, spoken) in zip(lines, by_torch, strict=True):
        assert line["presence"] == {"image": "fresh", "sound": "fresh"}
        assert 0 <= line["ages_ms"]["image"] < 40.001
        assert line["ages_ms"]["sound"] < 0.03
        assert len(line["heads"]["object"]["scores"]) == 3
        assert label in line["heads"]["object"]["scores"]
        assert line["heads"]["speech"]["scores"]["speech"] == pytest.approx(spoken, abs=0.05)


def _answers_of_torch(times: list[float]) -> list[tuple[str, float]]:
    """Label of the newest picture and score of speech at each time: decoded by PyAV, prepared by
    Pillow and librosa, answered by torch."""
    import av
    import librosa
    from PIL import Image

    network, (listener, speech) = efficientnet_lite0.load(), silero.load()
    film = str(scene.video_file())
    with av.open(film) as container:
        pictures = [(p.time, p.to_ndarray(format="rgb24")) for p in container.decode(video=0)]
    with av.open(film) as container:
        sound = np.concatenate([c.to_ndarray() for c in container.decode(audio=0)], axis=1).mean(0)
    names, found = scene.class_names(), []
    for time in times:
        image = Image.fromarray([array for at, array in pictures if at <= time + 1e-9][-1])
        image = image.resize((256 * image.width // image.height, 256), Image.Resampling.BICUBIC)
        left, top = round((image.width - 224) / 2), 16
        levels = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32)
        end = round(time * 48000)
        heard = sound[max(0, end - 3 * scene.WINDOW) : end].astype(np.float32)
        heard = librosa.resample(heard, orig_sr=48000, target_sr=16000)[: scene.WINDOW]
        with torch.no_grad():
            x = torch.from_numpy((levels - 127) / 128).permute(2, 0, 1)[None]
            label = names[int(network(x).argmax())]
            remembered = listener(torch.from_numpy(heard)[None])
            spoken = float(speech(remembered, torch.ones(1, 1)).softmax(1)[0, 1])
        found.append((label, spoken))
    return found


def test_recorded_speech_is_speech_and_noise_is_not(
    bundle: Path, generator: np.random.Generator
) -> None:
    model = plait.load(bundle)
    spoken = np.concatenate([prompt(generator) for _ in range(6)])
    scores = []
    for end in range(8192, len(spoken), 2048):  # 8 kHz; 1.024 s end there
        sound = plait.Sound(spoken[end - 8192 : end].astype(np.float32), 8000)
        answer = model(image=None, sound=sound)["speech"]
        assert answer.scores is not None
        scores.append(float(answer.scores[1]))
    assert np.mean(np.array(scores) > 0.5) > 0.5
    noise = generator.normal(0.0, 0.1, 3 * scene.WINDOW).astype(np.float32)
    assert model(image=None, sound=noise)["speech"].label == "no speech"


ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/cli.md", "docs/zoo/scene.md")
COMMANDS = sorted(
    {
        line.split("#")[0].strip()
        for page in PAGES
        for line in (ROOT / page).read_text().splitlines()
        if line.startswith("plait run scene.plait")
    }
)


@pytest.fixture
def folder(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, generator: np.random.Generator
) -> None:
    """Where the pages' file names exist."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(bundle, "scene.plait")
    shutil.copy(scene.video_file(), "street.mp4")
    Image.fromarray(data.chelsea()).save("cat.jpg")
    soundfile.write("cat.wav", generator.normal(0.0, 0.1, 3 * 44100), 44100)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_docs_runs(capsys: pytest.CaptureFixture[str], command: str) -> None:
    live = "--camera 0" in command
    # There is no camera here: OpenCV opens a file as it opens a device, and its end is an error.
    arguments = shlex.split(command.replace("--camera 0", "--camera street.mp4"))[1:]
    assert run(arguments) == (4 if live else 0)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines
    assert all(line["label"] for line in lines)


def test_every_graph_becomes_engines_in_fp16_and_int8(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = build_for_three(bundle, tmp_path, capsys)
    assert not answer["failed"]
    assert {one["graph"] for one in answer["engines"]} >= {"image_encoder", "sound_encoder"}
    assert {one["precision"] for one in answer["engines"]} == set(PRECISIONS)
