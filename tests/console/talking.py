"""A desk that people talk to, with a stand-in for the recognizer, and sounds."""

from __future__ import annotations

import io
import os
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.console import patient
from tests.console.desks import Desk, Person, at_desk

STANDIN = Path(__file__).with_name("standin")
RATE = 16_000


def tone(seconds: float = 1.0, loud: float = 0.3, channels: int = 1, rate: int = RATE) -> bytes:
    """A WAV file of a hum."""
    sound = loud * np.sin(2 * np.pi * 220 * np.arange(int(seconds * rate)) / rate)
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat((32767 * sound).astype("<i2"), channels).tobytes())
    return data.getvalue()


def model_folder(folder: Path, hears: str = "turn left") -> Path:
    """A folder with the names of a model's files; the stand-in hears `hears`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt"):
        (folder / name).write_text("")
    (folder / "words.txt").write_text(hears)
    return folder


@contextmanager
def talking_desk(out: Path, model: Path, *words: str) -> Iterator[Desk]:
    """A desk whose recognizer is the stand-in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(STANDIN), os.environ.get("PYTHONPATH", "")]))
        with at_desk(out, *words, "--speech-model", str(model)) as desk:
            yield desk


def upload(desk: Desk, person: Person, episode: str, wav: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    """Sends a recording, as the page does. The code of the answer, and what it says."""
    sent = {"Origin": "/".join(desk.control.split("/")[:3]), "Content-Type": "audio/wav"}
    sent |= {"X-Desk-Key": person.welcome["key"], **{name.replace("_", "-"): text for name, text in headers.items()}}
    answer = patient.post(f"{desk.control}speech", params={"episode": episode}, content=wav, headers=sent)
    return answer.status_code, answer.json()
