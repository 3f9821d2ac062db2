"""Talking at the desk: how many spoken actions arrive, by the packaged Whisper tiny.en in the desk's own child process.

    nice -n 5 python benchmarks/speech.py

Needs requirements/speech.txt, espeak-ng and sox. Writes benchmarks/speech.json. Each action of BabyAI, of
CornerCaseDrive and of Crafter is spoken by four voices of espeak-ng, and given to the recognizer with the actions of
its environment, as the desk does:

- **exact**: the words are the action, but for letters' case and marks.
- **named**: the words name the action by the desk's resolver.
- **offered**: the action is among those that the desk offers.
- **wrong**: the words name another action.

And noise without words: how often words come out of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from embodied.agents.resolving import resolve
from embodied.agents.vocabulary import Vocabulary, accepted
from embodied.console.desk.recognizing import folded
from embodied.console.desk.speech import Recognizer, find_model, offers, phrases
from embodied.envs import make
from embodied.errors import UsageError

RESULT = Path(__file__).with_suffix(".json")
ENVS = ("babyai", "corner_case_drive", "crafter")
VOICES = ("en-us", "en-gb", "en-us+f3", "en-gb-scotland")
NOISE = {"white noise": "whitenoise", "brown noise": "brownnoise", "a hum": "sine 110"}


def spoken(words: str, voice: str, folder: Path, gain: str = "-3") -> bytes:
    """Words as WAV of 16 kHz, with a little room noise around them."""
    raw, made = folder / "raw.wav", folder / "made.wav"
    subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", str(raw), words], check=True)
    subprocess.run(
        [
            "sox",
            "-q",
            "-R",
            str(raw),
            "-r",
            "16000",
            "-c",
            "1",
            "-b",
            "16",
            str(made),
            "norm",
            gain,
            "pad",
            "0.3",
            "0.3",
        ],
        check=True,
    )
    return made.read_bytes()


def noise(kind: str, level: str, folder: Path) -> bytes:
    """Three seconds of a noise."""
    made = folder / "noise.wav"
    command = ["sox", "-q", "-R", "-n", "-r", "16000", "-c", "1", "-b", "16", str(made), "synth", "3"]
    subprocess.run([*command, *kind.split(), "vol", level], check=True)
    return made.read_bytes()


async def measured() -> dict[str, object]:
    recognizer = Recognizer.of(find_model(None))
    rows, invented, seconds, lengths = [], [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        await recognizer.words(spoken("turn left", "en-us", folder), ["turn left"])
        first = time.perf_counter() - start
        for env_name, vocabulary in vocabularies().items():
            for action in vocabulary.actions:
                for voice in VOICES:
                    wav = spoken(action, voice, folder)
                    start = time.perf_counter()
                    try:
                        said = (await recognizer.words(wav, phrases(vocabulary)))["text"]
                    except UsageError as error:
                        said = f"({error})"
                    seconds.append(time.perf_counter() - start)
                    lengths.append((len(wav) - 44) / 32000)
                    names = resolve(said, vocabulary).action
                    rows.append(
                        {
                            "env": env_name,
                            "action": action,
                            "voice": voice,
                            "said": said,
                            "exact": folded(said) == folded(action),
                            "named": names == action,
                            "offered": action in offers(said, vocabulary),
                            "wrong": bool(names) and names != action,
                        }
                    )
        for what, kind in NOISE.items():
            for level in ("0.02", "0.1", "0.4"):
                try:
                    said = (await recognizer.words(noise(kind, level, folder), ["turn left", "go forward"]))["text"]
                    invented.append({"noise": what, "level": level, "said": said})
                except UsageError as error:
                    invented.append({"noise": what, "level": level, "refused": str(error)})
    await recognizer.stop()
    count = len(rows)
    return {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "model": "whisper tiny.en",
        "utterances": count,
        "actions": count // len(VOICES),
        "voices": len(VOICES),
        **{key: round(sum(row[key] for row in rows) / count, 3) for key in ("exact", "named", "offered", "wrong")},
        "by environment": {
            env: {
                key: round(statistics.mean(row[key] for row in rows if row["env"] == env), 3)
                for key in ("exact", "named", "offered", "wrong")
            }
            for env in ENVS
        },
        "seconds, the first, with loading": round(first, 2),
        "seconds, median": round(statistics.median(seconds), 2),
        "seconds, most": round(max(seconds), 2),
        "seconds spoken, median": round(statistics.median(lengths), 2),
        "noise": invented,
        "not named": [{k: row[k] for k in ("action", "voice", "said")} for row in rows if not row["named"]],
    }


def vocabularies() -> dict[str, Vocabulary]:
    """What each environment accepts in its first step."""
    found = {}
    for name in ENVS:
        env = make(name, None)
        env.reset(seed=0)
        listed = accepted(env.mission)
        assert isinstance(listed, Vocabulary)
        found[name] = listed
    return found


def main() -> None:
    found = asyncio.run(measured())
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps({k: v for k, v in found.items() if k != "not named"}, indent=1))


if __name__ == "__main__":
    main()
