#!/usr/bin/env python3
"""Makes the sound files: synthesised with numpy and scipy, encoded with lameenc.

Each severity has its own pitch, rhythm and length, and is `STEP_DB` louder than the next lower severity. The script
marks its files in their last bytes. Files without the mark are a user's own: only --force overwrites them.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RATE = 44_100  # samples a second
FADE = 0.012  # seconds of fade in and fade out of a tone; shorter fades click
SILENCE = 0.02  # seconds of silence at both ends
STEP_DB = 4.0  # difference in loudness between two severities
LOUDEST_DB = -14.0  # RMS of the loudest tone, dB under full scale; leaves room for its peaks
MARK = b"TAGmade by generate_sound_files.py".ljust(128, b"\0")  # an ID3v1 tag: players show or skip it


@dataclass(frozen=True)
class Sound:
    """A sequence of tones of equal length, `seconds` in total, whose loudness pulses `pulses` times in total."""

    tones: tuple[tuple[float, ...], ...]  # Hz: the notes of each tone
    seconds: float
    pulses: float
    level: int  # how many steps below the loudest


SOUNDS = {
    "error-system-critical": Sound(((880.0,), (1046.5,), (1318.5,)), 1.0, 10, 0),
    "error-critical": Sound(((880.0, 440.0),), 0.7, 5, 1),
    "error-warning": Sound(((660.0, 330.0),), 0.5, 2, 2),
    "error-info": Sound(((523.25,),), 0.3, 1, 3),
    "error-notification": Sound(((587.33,), (783.99,)), 0.4, 2, 3),
    "error-recovered": Sound(((783.99,), (659.26,), (523.25,)), 0.9, 3, 3),  # falls, as calm returns
}


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the files. Returns 0, or 1 if a file was not overwritten or a library is missing."""
    parser = argparse.ArgumentParser(prog="generate_sound_files.py", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder (default: beside this script)")
    parser.add_argument("--force", action="store_true", help="also overwrite files that this script did not make")
    parser.add_argument("--only", choices=sorted(SOUNDS), action="append", help="make only this sound; repeatable")
    parser.add_argument("--pitch", type=float, default=1.0, help="multiplies every frequency (default: 1)")
    parser.add_argument("--tempo", type=float, default=1.0, help="divides every length (default: 1)")
    parser.add_argument("--volume", type=float, default=0.0, help="dB added to the loudness, at most 6 (default: 0)")
    given = parser.parse_args(argv)
    for name, least, most in (("pitch", 0.25, 4.0), ("tempo", 0.25, 4.0), ("volume", -40.0, 6.0)):
        if not least <= getattr(given, name) <= most:
            parser.error(f"--{name}: expected {least:g} to {most:g}")
    try:
        import lameenc  # noqa: F401
        import numpy  # noqa: F401
        import scipy.signal  # noqa: F401
    except ImportError as error:
        how = "`make sounds` installs it and runs this; without make: pip install 'error-visualization[sounds]'"
        print(f"{error.name} is missing: {how}", file=sys.stderr)
        return 1
    given.out.mkdir(parents=True, exist_ok=True)
    kept = 0
    for name in given.only or SOUNDS:
        path = given.out / f"{name}.mp3"
        if path.exists() and not path.read_bytes().endswith(MARK) and not given.force:
            print(f"{path}: not made by this script, left alone (--force overwrites it)", file=sys.stderr)
            kept += 1
            continue
        path.write_bytes(encode(SOUNDS[name], given.pitch, given.tempo, given.volume))
        print(path)
    return 1 if kept else 0


def synthesise(sound: Sound, pitch: float = 1.0, tempo: float = 1.0, volume: float = 0.0):  # type: ignore[no-untyped-def]
    """Returns the sound as an array of floats from -1 to 1: one channel, `RATE` samples per second."""
    import numpy as np
    from scipy import signal

    length = sound.seconds / tempo / len(sound.tones)
    parts = []
    for notes in sound.tones:
        t = np.arange(int(RATE * length)) / RATE
        tone = sum(
            weight * np.sin(2 * np.pi * note * pitch * harmonic * t)
            for note in notes
            for harmonic, weight in ((1, 1.0), (2, 0.25), (3, 0.08))  # a soft timbre: few, weak overtones
        )
        rhythm = 0.62 + 0.38 * signal.sawtooth(2 * np.pi * sound.pulses / sound.seconds * tempo * t + 1e-9, 0.25)
        edge = np.minimum(1, np.minimum(t, t[::-1]) / FADE)
        parts.append(tone * np.exp(-1.2 * t / length) * rhythm * np.sin(edge * np.pi / 2) ** 2)
    wave = np.concatenate(parts)
    high = signal.butter(2, 60, "highpass", fs=RATE, output="sos")  # removes the DC offset
    wave = signal.sosfiltfilt(high, wave)
    ramp = np.minimum(1, np.minimum(np.arange(len(wave)), np.arange(len(wave))[::-1]) / (FADE * RATE))
    wave *= ramp * 10 ** ((LOUDEST_DB - STEP_DB * sound.level + volume) / 20) / np.sqrt(np.mean(wave**2))
    quiet = np.zeros(int(SILENCE * RATE))
    return np.concatenate([quiet, np.clip(wave, -0.98, 0.98), quiet])


def encode(sound: Sound, pitch: float = 1.0, tempo: float = 1.0, volume: float = 0.0) -> bytes:
    """Returns the sound as MP3, with `MARK` at the end."""
    import lameenc
    import numpy as np

    encoder = lameenc.Encoder()
    encoder.set_channels(1)
    encoder.set_in_sample_rate(RATE)
    encoder.set_bit_rate(96)
    encoder.set_quality(2)
    encoder.silence()
    samples = (synthesise(sound, pitch, tempo, volume) * 32767).astype(np.int16)
    return bytes(encoder.encode(samples.tobytes()) + encoder.flush()) + MARK


if __name__ == "__main__":
    raise SystemExit(main())
