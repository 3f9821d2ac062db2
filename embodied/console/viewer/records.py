"""Recorded lines in a form that the viewer can show: a line of an unknown form becomes a sentence and does not break
the page.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from embodied.errors import StoreError
from embodied.store.checks import check_json, is_digest
from embodied.store.codec import encode
from embodied.store.events import call_objects
from embodied.types import Json

_Side = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class _Image(msgspec.Struct):
    digest: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    width: _Side = 0
    height: _Side = 0


class _Seen(msgspec.Struct):
    text: str | None = ""
    status: str | None = ""
    expert: str | None = ""
    image: _Image | None = None
    more_images: list[_Image] = []
    actions: list[str] | None = None


class _Reply(msgspec.Struct):
    text: str = ""
    reasoning: str = ""
    model: str = ""
    stop: str = ""
    seconds: float | None = None
    usage: dict[str, float | None] | None = None


class _Call(msgspec.Struct):
    reply: _Reply
    messages: list[str] = []


class _Decision(msgspec.Struct):
    action: str
    thought: str = ""
    calls: list[_Call] = []


class _Event(msgspec.Struct):
    """What the page takes for granted of an event of which it shows more than a line."""

    kind: str = ""
    text: str = ""
    by: str = ""
    opened: int = 0
    superseded: _Decision | None = None
    calls: list[_Call] = []


class _Step(msgspec.Struct):
    """What the page and the searches take for granted of a step."""

    index: int
    observation: _Seen
    decision: _Decision
    executed: str
    reward: float | None = None
    progress: float | None = None
    agent_seconds: float | None = None
    env_seconds: float | None = None
    events: list[Any] = []


def shown_step(line: bytes, index: int) -> Json:
    """A line of `steps.jsonl` as plain values, whole; a step that says so in its place where the line has another
    shape.

    Args:
        line: JSON. Bytes that are not UTF-8 (a damaged text) are replaced.
        index: The step's own number, for the step that stands in.
    """
    try:
        step: Json = msgspec.json.decode(line.decode("utf-8", "replace"))
        check_json(step, "The step")
        msgspec.convert(step, _Step)
    except (msgspec.DecodeError, StoreError, RecursionError):
        return _unreadable(index)
    if "events" in step:
        step["events"] = [event for event in step["events"] if _is_shown(event)]
    decisions = [step["decision"], *(e["superseded"] for e in step.get("events", ()) if e.get("superseded"))]
    for decision in decisions:
        decision.setdefault("calls", [])
        decision.setdefault("thought", "")
    for call in call_objects(step):
        call["reply"].setdefault("text", "")
    return step


def _is_shown(event: Any) -> bool:
    try:
        msgspec.convert(event, _Event)
    except msgspec.ValidationError:
        return False
    return True


def shown_message(line: bytes) -> Json | None:
    """A line of `messages.jsonl` as `{"id": ..., "message": {"role": ..., "parts": [...]}}`; None where it has no id.

    A message without parts has an empty list of them; a part of an unknown kind is a text that says so.
    """
    try:
        found = msgspec.json.decode(line.decode("utf-8", "replace"))
        check_json(found, "The message")
    except (msgspec.DecodeError, StoreError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("id"), str):
        return None
    said = found.get("message")
    message: Json = said if isinstance(said, dict) else {}
    given = message.get("parts")
    parts: list[Any] = given if isinstance(given, list) else []
    return {
        "id": found["id"],
        "message": {"role": str(message.get("role") or "unknown")[:40], "parts": [_part(part) for part in parts]},
    }


def _part(part: Any) -> Json:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return part
    if isinstance(part, dict) and part.get("type") == "image" and is_digest(str(part.get("digest"))):
        try:
            msgspec.convert(part, _Image)
        except msgspec.ValidationError:
            return {**part, "width": 0, "height": 0}
        return part
    return {"type": "text", "text": f"(a part that cannot be shown: {encode(part).decode()[:200]})"}


def _unreadable(index: int) -> Json:
    said = "This step cannot be shown: its record has an unknown form."
    return {
        "index": index,
        "observation": {"text": said, "status": "", "image": None, "step": index},
        "decision": {"action": "", "parsed": True, "thought": "", "calls": []},
        "executed": "",
        "valid": True,
        "reward": None,
        "terminated": False,
        "truncated": False,
        "progress": None,
        "info": {},
        "agent_seconds": None,
        "env_seconds": None,
    }
