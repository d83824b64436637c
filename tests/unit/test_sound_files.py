"""The sound files, decoded: what they are made of, and that nobody's own file is lost."""

import importlib.util
import itertools
import sys
from pathlib import Path

import miniaudio
import numpy as np
import pytest

from exporter.http.pages import sounds_folder

pytestmark = pytest.mark.sound
SCRIPT = sounds_folder() / "generate_sound_files.py"
spec = importlib.util.spec_from_file_location("generate_sound_files", SCRIPT)
generator = importlib.util.module_from_spec(spec)
sys.modules["generate_sound_files"] = generator
spec.loader.exec_module(generator)
ORDER = ("error-system-critical", "error-critical", "error-warning", "error-info")


def decode(path: Path) -> np.ndarray:
    sound = miniaudio.decode(path.read_bytes(), nchannels=1, sample_rate=generator.RATE)
    return np.frombuffer(sound.samples, np.int16) / 32768


def body(wave: np.ndarray) -> np.ndarray:
    heard = np.flatnonzero(np.abs(wave) > 0.003)
    return wave[heard[0] : heard[-1] + 1]


def rms_db(name: str) -> float:
    return 20 * np.log10(np.sqrt(np.mean(body(decode(sounds_folder() / f"{name}.mp3")) ** 2)))


@pytest.mark.parametrize("name", generator.SOUNDS)
def test_sound_has_its_length_pitch_and_clean_ends(name: str) -> None:
    sound = generator.SOUNDS[name]
    wave = decode(sounds_folder() / f"{name}.mp3")
    heard = body(wave)
    assert len(heard) / generator.RATE == pytest.approx(sound.seconds, abs=0.08)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)), 1 << 18))
    hertz = np.fft.rfftfreq(1 << 18, 1 / generator.RATE)
    for note in {note for tone in sound.tones for note in tone}:
        near = spectrum[np.abs(hertz - note) < 12].max()
        assert near > 0.15 * spectrum.max(), f"{note} Hz is not in {name}"
    assert hertz[spectrum.argmax()] == pytest.approx(
        min((n for t in sound.tones for n in t), key=lambda n: abs(n - hertz[spectrum.argmax()])), abs=12
    )
    assert np.abs(wave).max() < 0.99
    assert abs(wave.mean()) < 1e-3
    assert np.abs(wave[:200]).max() < 0.003
    assert np.abs(wave[-200:]).max() < 0.003


def test_loudness_falls_by_equal_steps() -> None:
    levels = [rms_db(name) for name in ORDER]
    steps = [above - below for above, below in itertools.pairwise(levels)]
    assert steps == pytest.approx([generator.STEP_DB] * 3, abs=1.0)


def test_committed_files_are_what_the_script_makes(tmp_path: Path) -> None:
    assert generator.main(["--out", str(tmp_path)]) == 0
    for name in generator.SOUNDS:
        made, kept = decode(tmp_path / f"{name}.mp3"), decode(sounds_folder() / f"{name}.mp3")
        assert len(made) == len(kept)
        assert np.abs(made - kept).max() < 0.01


def test_a_replaced_file_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "error-info.mp3"
    own.write_bytes(b"my own sound")
    assert generator.main(["--out", str(tmp_path)]) == 1
    assert own.read_bytes() == b"my own sound"
    assert "error-info.mp3: not made by this script" in capsys.readouterr().err
    assert (tmp_path / "error-critical.mp3").exists()
    assert generator.main(["--out", str(tmp_path), "--force"]) == 0
    assert own.read_bytes() != b"my own sound"


def test_parameters_change_the_sound(tmp_path: Path) -> None:
    generator.main(["--out", str(tmp_path), "--only", "error-info", "--pitch", "2", "--tempo", "0.5"])
    heard = body(decode(tmp_path / "error-info.mp3"))
    assert len(heard) / generator.RATE == pytest.approx(0.6, abs=0.08)
    spectrum = np.abs(np.fft.rfft(heard, 1 << 18))
    assert np.fft.rfftfreq(1 << 18, 1 / generator.RATE)[spectrum.argmax()] == pytest.approx(2 * 523.25, abs=8)
    assert [file.name for file in tmp_path.iterdir()] == ["error-info.mp3"]


@pytest.mark.parametrize("option", ["--pitch", "--tempo", "--volume"])
def test_a_bad_parameter_is_named(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        generator.main([option, "100"])
    assert f"{option}: expected" in capsys.readouterr().err
