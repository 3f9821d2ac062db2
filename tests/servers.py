"""Two servers for tests: a real model behind a real OpenAI-compatible server, and a stub that checks wire formats and
misbehaves on request.

    python -m tests.servers llama [--port N]                  SmolLM2 served by llama.cpp
    python -m tests.servers stub [--port N] [--reply TEXT]    the stub, replying TEXT

Either prints its URL on the first line and runs until its standard input ends. Test modules import the fixtures `stub`
and `llama_url`.

The stub speaks OpenAI's chat completions under /v1, Anthropic's messages under /, and Gemini's generateContent under /.
It answers 400 to anything the real services would refuse. Faults are asked for in the path, so that a process under
test needs nothing but a base URL: `URL/fault/429@0.1,reset,ok/v1` treats the first request so, the second so, and so
on; the last word goes on for ever.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import binascii
import hashlib
import io
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from PIL import Image, UnidentifiedImageError

from embodied.models.services.answers import within


class Malformed(Exception):
    """The request is not what the real service accepts."""


@dataclass
class Seen:
    """A request as the stub understood it."""

    wire: str
    model: str
    key: str
    turns: list[tuple[str, list[str]]]
    """Role, and its parts: text as it is, an image as `image:` and the SHA-256 of its PNG."""
    system: str = ""
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> int:
        return sum(len(part.split()) for _, parts in self.turns for part in parts)


def _image(data: str, kind: str) -> str:
    if kind != "image/png":
        raise Malformed(f"unsupported image type {kind}")
    try:
        png = base64.b64decode(data, validate=True)
        Image.open(io.BytesIO(png), formats=["PNG"]).load()
    except (binascii.Error, UnidentifiedImageError, OSError) as error:
        raise Malformed(f"the image is not a PNG: {error}") from error
    return "image:" + hashlib.sha256(png).hexdigest()


def _bearer(headers: dict[str, str]) -> str:
    return headers.get("authorization", "").removeprefix("Bearer ")


def _only(body: dict[str, Any], allowed: str) -> None:
    if extra := set(body) - set(allowed.split()):
        raise Malformed(f"Unrecognized request argument supplied: {', '.join(sorted(extra))}")


def _strict(schema: dict[str, Any]) -> None:
    """What services ask of a schema for structured output."""
    if schema["type"] != "object" or schema["additionalProperties"] is not False:
        raise Malformed("Invalid schema: 'additionalProperties' is required to be supplied and to be false")
    if list(schema["properties"]) != schema["required"]:
        raise Malformed("Invalid schema: 'required' is required to include every key in properties")


def _held(text: Any, schema: Any, how: str) -> Any:
    """`text` as an object of the schema that was sent, if there was one; as it is from a server that ignores it."""
    if not isinstance(schema, dict) or how == "ignores":
        return text
    return json.dumps({schema["required"][0]: text})


class OpenAIWire:
    """https://platform.openai.com/docs/api-reference/chat"""

    name = "openai"
    _known = (
        "model messages max_tokens max_completion_tokens temperature top_p stop seed reasoning_effort"
        " response_format structured_outputs guided_choice"
    )

    def read(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> Seen:
        _only(body, self._known)
        model = body["model"]
        reasons = model.startswith(("o1", "o3", "o4", "gpt-5"))
        for setting in ("temperature", "top_p", "stop", "max_tokens") if reasons else ():
            if setting in body:
                raise Malformed(f"Unsupported parameter: '{setting}' is not supported with this model.")
        if "reasoning_effort" in body and not reasons:
            raise Malformed("Unrecognized request argument supplied: reasoning_effort")
        if "response_format" in body:
            _strict(body["response_format"]["json_schema"]["schema"])
        turns = [(m["role"], self._parts(m)) for m in body["messages"]]
        if not turns or any(role not in ("system", "user", "assistant") for role, _ in turns):
            raise Malformed("bad roles")
        return Seen(self.name, model, _bearer(headers), turns, body=body)

    def _parts(self, message: dict[str, Any]) -> list[str]:
        content = message["content"]
        if isinstance(content, str):
            return [content]
        if message["role"] != "user":
            raise Malformed("images are for users")
        return [self._part(part) for part in content]

    def _part(self, part: dict[str, Any]) -> str:
        if part["type"] == "text":
            return part["text"]
        head, _, data = part["image_url"]["url"].partition(";base64,")
        return _image(data, head.removeprefix("data:"))

    def answer(self, seen: Seen, text: Any, how: str = "") -> Any:
        text = _held(text, within(seen.body, "response_format", "json_schema", "schema"), how)
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if how == "reasoning":
            message["reasoning_content"] = "I think."
        if how == "typed":
            message["content"] = [
                {"type": "thinking", "thinking": [{"type": "text", "text": "I think."}]},
                {"type": "text", "text": text},
            ]
        if how == "refusal":
            message |= {"content": None, "refusal": "I cannot."}
        choices = [
            {
                "index": 0,
                "message": message,
                "finish_reason": {"filter": "content_filter", "cut": "length"}.get(how, "stop"),
            }
        ]
        usage = {
            "prompt_tokens": seen.words,
            "completion_tokens": 7,
            "total_tokens": seen.words + 7,
            "prompt_tokens_details": {"cached_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 5},
        }
        return {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": seen.model,
            "choices": [] if how == "nothing" else choices,
            "usage": usage,
        }

    def error(self, status: int, said: str) -> Any:
        return {
            "error": {
                "message": said,
                "type": "test",
                "param": None,
                "code": "insufficient_quota" if "quota" in said else None,
            }
        }


class AnthropicWire:
    """https://platform.claude.com/docs/en/api/messages"""

    name = "anthropic"
    _known = "model messages system max_tokens temperature top_p stop_sequences thinking output_config"

    def read(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> Seen:
        _only(body, self._known)
        if "anthropic-version" not in headers:
            raise Malformed("anthropic-version: header is required")
        if form := body.get("output_config", {}).get("format"):
            _strict(form["schema"])
        budget = body.get("thinking", {}).get("budget_tokens", 0)
        if body["max_tokens"] <= budget:
            raise Malformed("`max_tokens` must be greater than `thinking.budget_tokens`")
        if "thinking" in body and "temperature" in body:
            raise Malformed("`temperature` may only be set to 1 when thinking is enabled")
        turns = [(m["role"], [self._part(b) for b in m["content"]]) for m in body["messages"]]
        if [role for role, _ in turns] != ["user", "assistant"] * (len(turns) // 2) + ["user"] * (len(turns) % 2):
            raise Malformed("roles must alternate, beginning and ending with user")
        system = "\n".join(block["text"] for block in body.get("system", ()))
        return Seen(self.name, body["model"], _bearer(headers) or headers.get("x-api-key", ""), turns, system, body)

    def _part(self, block: dict[str, Any]) -> str:
        if block["type"] == "image":
            source = block["source"]
            return _image(source["data"], source["media_type"])
        if not block["text"].strip():
            raise Malformed("text content blocks must be non-empty")
        return block["text"]

    def answer(self, seen: Seen, text: Any, how: str = "") -> Any:
        text = _held(text, within(seen.body, "output_config", "format", "schema"), how)
        content = [] if text is None or how in ("nothing", "filter") else [{"type": "text", "text": text}]
        if how == "reasoning" or "thinking" in seen.body:
            content.insert(0, {"type": "thinking", "thinking": "I think.", "signature": "s"})
        usage = {
            "input_tokens": seen.words,
            "output_tokens": 7,
            "cache_read_input_tokens": 2,
            "cache_creation_input_tokens": 3,
            "output_tokens_details": {"thinking_tokens": 5},
        }
        stop = {"filter": "refusal", "cut": "max_tokens"}.get(how, "end_turn")
        return {
            "id": "x",
            "type": "message",
            "role": "assistant",
            "model": seen.model,
            "content": content,
            "stop_reason": stop,
            "usage": usage,
        }

    def error(self, status: int, said: str) -> Any:
        return {"type": "error", "error": {"type": "test", "message": said}}


class GeminiWire:
    """https://ai.google.dev/api/generate-content"""

    name = "google"

    def read(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> Seen:
        _only(body, "contents systemInstruction generationConfig")
        settings = body.get("generationConfig", {})
        _only(
            settings,
            "temperature topP maxOutputTokens stopSequences seed thinkingConfig responseMimeType responseJsonSchema",
        )
        if "responseJsonSchema" in settings and settings.get("responseMimeType") != "application/json":
            raise Malformed("response_json_schema needs response_mime_type application/json")
        model = path.rpartition("/")[2].partition(":")[0]
        turns = [(c["role"], [self._part(p) for p in c["parts"]]) for c in body["contents"]]
        if any(role not in ("user", "model") for role, _ in turns) or turns[-1][0] != "user":
            raise Malformed("Please use a valid role: user, model.")
        system = "\n".join(part["text"] for part in body.get("systemInstruction", {}).get("parts", ()))
        return Seen(self.name, model, headers.get("x-goog-api-key", ""), turns, system, body)

    def _part(self, part: dict[str, Any]) -> str:
        if "text" in part:
            return part["text"]
        data = part["inlineData"]  # protobuf's JSON: either spelling of a field, either alphabet of base64
        return _image(data["data"].translate({ord("-"): "+", ord("_"): "/"}), data.get("mimeType") or data["mime_type"])

    def answer(self, seen: Seen, text: Any, how: str = "") -> Any:
        text = _held(text, within(seen.body, "generationConfig", "responseJsonSchema"), how)
        parts = [] if text is None else [{"text": text}]
        if how == "reasoning" or "thinkingConfig" in seen.body.get("generationConfig", {}):
            parts.insert(0, {"text": "I think.", "thought": True})
        usage = {
            "promptTokenCount": seen.words,
            "candidatesTokenCount": 2,
            "thoughtsTokenCount": 5,
            "cachedContentTokenCount": 2,
        }
        if how == "filter":
            return {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": usage, "modelVersion": seen.model}
        stop = {"cut": "MAX_TOKENS", "refusal": "SAFETY"}.get(how, "STOP")
        candidates = [] if how == "nothing" else [{"content": {"role": "model", "parts": parts}, "finishReason": stop}]
        return {"candidates": candidates, "usageMetadata": usage, "modelVersion": seen.model}

    def error(self, status: int, said: str) -> Any:
        return {"error": {"code": status, "message": said, "status": "TEST"}}


def wire_of(path: str) -> OpenAIWire | AnthropicWire | GeminiWire | None:
    if path.endswith("/chat/completions"):
        return OpenAIWire()
    if path.endswith("/v1/messages"):
        return AnthropicWire()
    return GeminiWire() if path.endswith(":generateContent") else None


class Stub:
    """The stub server, in a thread of its own between `start` and `stop`.

    Attributes:
        reply: What it says.
        seen: The well-formed requests so far.
        requests: How many requests came in all.
    """

    def __init__(self, reply: str = "north", port: int = 0):
        self.reply = reply
        self.seen: list[Seen] = []
        self.requests = 0
        self._faults: Counter[str] = Counter()
        self._socket = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._socket))
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
            data = await reader.readexactly(int(headers.get("content-length", 0)))
            await self._answer(head[0].split()[1], headers, data, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            writer.close()

    async def _answer(self, path: str, headers: dict[str, str], data: bytes, writer: asyncio.StreamWriter) -> None:
        self.requests += 1
        path, fault = self._fault(path.partition("?")[0])
        wire = wire_of(path)
        if wire is None:
            return _send(writer, 404, {"error": {"message": f"nothing at {path}"}})
        try:
            seen = wire.read(path, headers, json.loads(data))
        except (Malformed, KeyError, TypeError, ValueError) as error:
            return _send(writer, 400, wire.error(400, f"{type(error).__name__}: {error}"))
        if not seen.key or seen.key == "bad":
            return _send(writer, 401, wire.error(401, f"Incorrect API key provided: {seen.key}."))
        self.seen.append(seen)
        await self._misbehave(fault, wire, seen, writer)

    def _fault(self, path: str) -> tuple[str, str]:
        if not path.startswith("/fault/"):
            return path, "ok"
        _, _, words, rest = path.split("/", 3)
        faults = words.split(",")
        number = self._faults[words]
        self._faults[words] += 1
        return "/" + rest, faults[min(number, len(faults) - 1)]

    async def _misbehave(
        self, fault: str, wire: OpenAIWire | AnthropicWire | GeminiWire, seen: Seen, writer: asyncio.StreamWriter
    ) -> None:
        word, _, value = fault.partition("@")
        if word.isdigit():
            retry = {"retry-after": value} if value else {}
            return _send(writer, int(word), wire.error(int(word), f"fault for key {seen.key}"), retry)
        match word:
            case "quota":
                _send(writer, 429, wire.error(429, "You exceeded your current quota."))
            case "upstream":
                _send(writer, 200, {"error": {"code": 503, "message": "the provider behind me failed"}})
            case "hang":
                await asyncio.sleep(3600)
            case "slow":
                await asyncio.sleep(float(value))
                _send(writer, 200, wire.answer(seen, self.reply))
            case "trickle":
                _send(writer, 200, b"", length=10_000)
                while True:
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(0.05)
            case "drop":
                _reset(writer)
            case "reset":
                _send(writer, 200, b'{"choices": [', length=10_000)
                await writer.drain()
                _reset(writer)
            case "html":
                _send(writer, 200, b"<html>Bad gateway</html>", kind="text/html")
            case "bytes":
                _send(writer, 200, bytes.fromhex(value))
            case "binary":
                _send(writer, 200, bytes(range(256)) * 8)
            case "blank":
                _send(writer, 200, b"")
            case "huge":
                _send(writer, 200, wire.answer(seen, "x" * int(value)))
            case "odd":
                # json.dumps writes the lone surrogate as an escape
                _send(writer, 200, wire.answer(seen, "a\ud800b\x00c\U0001f600d\u202e"))
            case "think":
                _send(writer, 200, wire.answer(seen, "<think>hm</think>\n" + self.reply))
            case "leak":
                _send(writer, 200, wire.answer(seen, f"your key is {seen.key}"))
            case "null":
                _send(writer, 200, wire.answer(seen, None))
            case _:
                _send(writer, 200, wire.answer(seen, self.reply, word))


def _send(
    writer: asyncio.StreamWriter,
    status: int,
    body: Any,
    headers: dict[str, str] | None = None,
    *,
    kind: str = "application/json",
    length: int | None = None,
) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {
        "content-type": kind,
        "content-length": length if length is not None else len(data),
        "connection": "close",
        **(headers or {}),
    }
    head = f"HTTP/1.1 {status} Test\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items())
    writer.write(head.encode() + b"\r\n" + data)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closes with a TCP reset instead of a farewell."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A stub server of the test's own."""
    server = Stub()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def llama_url() -> Iterator[str]:
    """Base URL (with /v1) of llama.cpp serving SmolLM2 in a child process, one thread; skips where
    it is not installed.
    """
    pytest.importorskip("xllamacpp")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.servers", "llama"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as child:
        assert child.stdin and child.stdout
        url = child.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), f"the server did not start: {url}"
        yield url
        child.stdin.close()  # its sign to end


def _llama(port: int) -> str:
    """Starts llama.cpp's own server in this process and returns its URL."""
    import xllamacpp

    from embodied.models.local.weights import embedded

    params = xllamacpp.CommonParams()
    params.model.path = str(embedded())
    params.model_alias = {"smollm2"}
    params.hostnames, params.port = ["127.0.0.1"], port
    params.n_ctx, params.n_parallel, params.cache_ram_mib = 4096, 1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1  # more only spin when the machine is busy
    params.verbosity, params.ui = -1, False
    _llama.server = xllamacpp.Server(params)  # type: ignore[attr-defined]  # kept alive with the process
    return _llama.server.listening_address + "/v1"  # type: ignore[attr-defined]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", choices=("stub", "llama"))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--reply", default="north")
    options = parser.parse_args()
    if options.which == "llama":
        url = _llama(options.port)
    else:
        server = Stub(options.reply, options.port)
        server.start()
        url = server.url + "/v1"
    print(url, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
