"""Answers of any shape over a real connection: the text is found or the answer is garbled, side fields cost nothing,
bodies end.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from embodied.blobs import MemoryBlobs
from embodied.errors import ModelAbsent, ModelErred, ModelFailure, ModelRefused, ModelUnavailable, PromptRefused
from embodied.models import ModelConfig, build
from embodied.models.services.connection import MAX_BODY
from embodied.types import Message, Reply, Settings, Text

ASKED = (Message("user", (Text("What now?"),)),)


class _Server:
    """Answers every request with the bytes it is given; with `endless` the last of them for ever."""

    def __init__(self) -> None:
        self.body, self.headers, self.endless, self.status = b"", {}, False, 200
        self.raw: bytes | None = None
        """Sent in place of a response, then the connection is closed."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                if outer.raw is not None:
                    self.broken(outer.raw)
                    return
                self.send_response(outer.status)
                for name, value in {"content-type": "application/json", **outer.headers}.items():
                    self.send_header(name, value)
                if not outer.endless:
                    self.send_header("content-length", str(len(outer.body)))
                self.end_headers()
                try:
                    self.wfile.write(outer.body)
                    while outer.endless:
                        self.wfile.write(b" " * 65_536)
                except OSError:
                    pass  # the client has had enough

            def do_CONNECT(self) -> None:
                self.broken(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

            def broken(self, raw: bytes) -> None:
                self.close_connection = True
                try:
                    self.wfile.write(raw)
                    while outer.endless:
                        self.wfile.write(b"X-More: a\r\n" * 1000)
                except OSError:
                    pass  # the client has had enough

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.endless = False
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[_Server]:
    made = _Server()
    yield made
    made.close()


async def ask(server: _Server, provider: str = "compatible", timeout: float = 30) -> Reply:
    """One call, without another attempt."""
    url = server.url + ("/v1" if provider in ("compatible", "openai") else "")
    model = build(ModelConfig(provider, "m", base_url=url, attempts=1, timeout=timeout), MemoryBlobs())
    try:
        return await model.generate(ASKED, Settings())
    finally:
        await model.aclose()


def chat(message: Any = None, **more: Any) -> dict[str, Any]:
    """A completion of OpenAI's API."""
    return {
        "choices": [{"message": message, "finish_reason": "stop", **more}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 2},
    }


READ = {
    "a string": chat({"content": "go"}),
    "a list of parts": chat({"content": [{"type": "text", "text": "g"}, {"type": "text", "text": "o"}]}),
    "output_text parts": chat({"content": [{"type": "output_text", "text": "go"}]}),
    "a part as an object": chat({"content": {"type": "text", "text": "go"}}),
    "text at the choice": {"choices": [{"text": "go", "finish_reason": "stop"}]},
    "thoughts beside it": chat({"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "go"}]}),
    "counts as fractions": {**chat({"content": "go"}), "usage": {"prompt_tokens": 100.0, "completion_tokens": "2"}},
    "details as a list": {
        **chat({"content": "go"}),
        "usage": {"prompt_tokens": 1, "prompt_tokens_details": [], "completion_tokens_details": "x"},
    },
    "usage as a list": {**chat({"content": "go"}), "usage": [1, 2]},
    "a reason as an object": chat({"content": "go"}, finish_reason={"kind": "stop"}),
    "a model as a number": {**chat({"content": "go"}), "model": 4},
    "an empty error": {**chat({"content": "go"}), "error": None},
    "huge numbers": {**chat({"content": "go"}), "usage": {"prompt_tokens": 10**30, "completion_tokens": -5}},
}
GARBLED = {
    "content as an object of another kind": chat({"content": {"answer": "go"}}),
    "content as numbers": chat({"content": [1, 2]}),
    "text elsewhere in the message": chat({"content": None, "output": "go"}),
    "text at the top": {**chat({"content": ""}), "output_text": "go"},
    "no message": chat(None),
    "a message as text": chat("go"),
    "no choices": {"choices": []},
    "choices as an object": {"choices": {"0": {}}},
    "a tool call alone": chat({"content": None, "tool_calls": [{"function": {"name": "act", "arguments": "{}"}}]}),
    "a list at the top": [chat({"content": "go"})],
    "nothing": {},
}


@pytest.mark.parametrize("shape", READ)
async def test_the_text_is_found_whatever_stands_beside_it(server: _Server, shape: str) -> None:
    server.body = json.dumps(READ[shape]).encode()
    reply = await ask(server)
    assert reply.text == "go" and reply.usage.input > 0


@pytest.mark.parametrize("shape", GARBLED)
async def test_an_unknown_shape_is_garbled_and_never_an_empty_answer(server: _Server, shape: str) -> None:
    server.body = json.dumps(GARBLED[shape]).encode()
    with pytest.raises(ModelErred):
        await ask(server)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"not json", b"<html>Login</html>", b"[" * 100_000, b'{"choices": [', b"\xff\xfe", b"data: {}\n\n"],
)
async def test_what_is_no_json_is_garbled(server: _Server, body: bytes) -> None:
    server.body = body
    with pytest.raises(ModelErred):
        await ask(server)


CLAUDE = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "c",
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
GEMINI = {"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1}}


@pytest.mark.parametrize(
    ("provider", "body", "text"),
    [
        ("anthropic", {**CLAUDE, "content": [{"type": "text", "text": "go"}]}, "go"),
        (
            "anthropic",
            {
                **CLAUDE,
                "content": [{"type": "text", "text": "go"}],
                "usage": {"input_tokens": 3.0, "cache_read_input_tokens": []},
            },
            "go",
        ),
        ("anthropic", {**CLAUDE, "content": [{"type": "text", "text": "go"}], "stop_reason": {}}, "go"),
        ("anthropic", {**CLAUDE, "content": {"output": "go"}}, None),
        ("anthropic", {**CLAUDE, "content": [{"type": "tool_use", "name": "act", "input": {}}]}, None),
        ("google", {**GEMINI, "candidates": [{"content": {"parts": [{"text": "go"}]}, "finishReason": "STOP"}]}, "go"),
        (
            "google",
            {"usageMetadata": [], "candidates": [{"content": {"parts": [{"text": "go"}]}, "finishReason": 1}]},
            "go",
        ),
        ("google", {**GEMINI, "candidates": [{"content": {"output": "go"}}]}, None),
        ("google", {**GEMINI, "candidates": {"0": {}}}, None),
        ("google", {**GEMINI, "candidates": [], "promptFeedback": {"blockReason": "SAFETY"}}, PromptRefused),
    ],
)
async def test_the_other_clients_read_alike(server: _Server, keys: str, provider: str, body: Any, text: Any) -> None:
    server.body = json.dumps(body).encode()
    if isinstance(text, str):
        assert (await ask(server, provider)).text == text
        return
    with pytest.raises(text or ModelErred):
        await ask(server, provider)


@pytest.mark.parametrize(
    "usage", [None, {}, {"prompt_tokens": 0, "completion_tokens": 0}, {"prompt_tokens": -3, "completion_tokens": -1}]
)
async def test_what_nobody_counted_is_estimated_and_marked(server: _Server, usage: Any) -> None:
    server.body = json.dumps({**chat({"content": "go forward now"}), "usage": usage}).encode()
    reply = await ask(server)
    assert (
        reply.usage.input > 0
        and reply.usage.output > 0
        and reply.usage.estimated == reply.usage.input + reply.usage.output
    )


async def test_counted_tokens_are_not_marked(server: _Server) -> None:
    server.body = json.dumps(chat({"content": "go"})).encode()
    assert ((await ask(server)).usage.input, (await ask(server)).usage.estimated) == (7, 0)


async def test_a_body_without_an_end_ends(server: _Server) -> None:
    server.body, server.endless = b'{"choices": [', True
    start = time.monotonic()
    with pytest.raises(ModelFailure, match="more than 16 MiB"):
        await ask(server)
    assert time.monotonic() - start < 25


async def test_a_small_body_that_unpacks_into_a_huge_one_ends(server: _Server) -> None:
    server.body, server.headers = gzip.compress(b" " * (4 * MAX_BODY)), {"content-encoding": "gzip"}
    with pytest.raises(ModelFailure, match="more than 16 MiB"):
        await ask(server)


async def test_a_packed_body_of_usual_size_is_read(server: _Server) -> None:
    server.body, server.headers = (
        gzip.compress(json.dumps(chat({"content": "go"})).encode()),
        {"content-encoding": "gzip"},
    )
    assert (await ask(server)).text == "go"


async def test_nobody_there_is_said_at_once(keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in ("compatible", "anthropic", "google"):
        model = build(ModelConfig(provider, "m", base_url="http://127.0.0.1:9/v1"), MemoryBlobs())
        start = time.monotonic()
        with pytest.raises(ModelFailure, match=r"nothing listens on 127\.0\.0\.1:9; is the server running\?"):
            await model.generate(ASKED, Settings())
        await model.aclose()
        assert time.monotonic() - start < 10


async def test_a_proxy_that_is_not_there_is_named(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    model = build(ModelConfig("compatible", "m", base_url="http://models.invalid/v1", attempts=1), MemoryBlobs())
    with pytest.raises(ModelFailure, match=r"proxy.*127\.0\.0\.1:9.*http_proxy"):
        await model.generate(ASKED, Settings())
    await model.aclose()


BROKEN = {
    "no HTTP": b"hello world\r\n\r\n",
    "a status that is none": b"HTTP/1.1 abc OK\r\n\r\n",
    "a chunk that is none": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 9\r\n\r\n{}",
    "a length that is none": b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n{}",
    "a zero byte in a header": b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n{}",
    "a header of 200 kB": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n{}",
    "half a body": b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{}",
    "nothing at all": b"",
}


@pytest.mark.parametrize("provider", ["compatible", "anthropic", "google"])
@pytest.mark.parametrize("how", BROKEN)
async def test_an_answer_that_is_not_http_is_garbled(server: _Server, keys: str, how: str, provider: str) -> None:
    server.raw = BROKEN[how]
    with pytest.raises((ModelUnavailable, ModelErred)) as said:
        await ask(server, provider)
    assert "no connection in time" not in str(said.value)


@pytest.mark.parametrize("provider", ["compatible", "anthropic", "google"])
async def test_headers_without_an_end_end(server: _Server, keys: str, provider: str) -> None:
    server.raw, server.endless = b"HTTP/1.1 200 OK\r\n", True
    with pytest.raises((ModelUnavailable, ModelErred)):
        await ask(server, provider)


@pytest.mark.parametrize("provider", ["compatible", "anthropic", "google"])
@pytest.mark.parametrize("url", ["http://127.0.0.1:40700/v1", "http://h407.invalid/v1"])
async def test_407_in_a_port_or_a_name_is_no_proxys_word(keys: str, provider: str, url: str) -> None:
    model = build(ModelConfig(provider, "m", base_url=url, attempts=1), MemoryBlobs())
    with pytest.raises(ModelAbsent):
        await model.generate(ASKED, Settings())
    await model.aclose()


@pytest.mark.parametrize("provider", ["compatible", "anthropic", "google"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_wants_a_password(
    server: _Server, keys: str, monkeypatch: pytest.MonkeyPatch, scheme: str, provider: str
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(f"{scheme}_proxy", server.url)
    server.status, server.body = 407, b"Proxy Authentication Required"
    model = build(ModelConfig(provider, "m", base_url=f"{scheme}://models.invalid/v1", attempts=1), MemoryBlobs())
    with pytest.raises(ModelRefused, match=rf"407.*proxy.*{scheme}_proxy"):
        await model.generate(ASKED, Settings())
    await model.aclose()
