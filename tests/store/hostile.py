"""Run folders as a stranger could make them: one good run, and what may be done to it."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from embodied.blobs import encode_png
from embodied.rollout.plan import identity
from embodied.store.run import Run, RunRecord
from embodied.types import Call, EpisodeSpec, Image, Message, Observation, Reply, Text, Usage
from tests.eval.runs import CONFIG, MISSION, ended, finish, spec, step

SECRET = "the victim's secret"
Harm = Callable[[Path, Path], None]
"""Does something to the run folder (first); the second folder is the victim's, where nothing may be read or written."""


def good_run(root: Path) -> Run:
    """Two scored episodes of two steps, with pictures and prompts."""
    import numpy as np

    planned = tuple(spec("cellar", "stairs", seed, seed) for seed in range(2))
    run = Run.create(
        root, RunRecord(identity(CONFIG), dict(CONFIG), planned, {"numpy": "2"}, "2026-01-02T03:04:05+00:00", "cellars")
    )
    image = Image(run.blobs.put(encode_png(np.zeros((8, 8, 3), np.uint8))), 8, 8)
    for planned_spec in planned:
        steps = []
        for index, action in enumerate(("go", "wait")):
            prompt = (Message("user", (Text("Say an action."), image)),)
            call = Call(prompt, Reply(action, usage=Usage(50, 5)))
            steps.append(
                step(
                    index,
                    action,
                    last=index == 1,
                    calls=(call,),
                    observation=Observation("a room", step=index, image=image),
                )
            )
        last = Observation("the end", step=2, image=image)
        finish(run, replace(ended(planned_spec, 1.0, steps=2, last=last), mission=MISSION), steps)
    return run


# --------------------------------------------------------------------------- ways to change it


def first_id(root: Path) -> str:
    return sorted(p.name for p in (root / "episodes").iterdir())[0]


def episode(root: Path) -> Path:
    """The first episode's folder."""
    return root / "episodes" / first_id(root)


def a_blob(root: Path) -> Path:
    return next((root / "blobs").glob("??/*"))


def edited(path: Path, change: Callable[[Any], Any]) -> None:
    value = json.loads(path.read_text())
    changed = change(value)
    path.write_text(json.dumps(value if changed is None else changed) + "\n")


def in_run(*keys: str | int, value: Any) -> Harm:
    """Sets a value in `run.json`."""
    return lambda root, _: edited(root / "run.json", lambda v: _set(v, keys, value))


def in_result(*keys: str | int, value: Any) -> Harm:
    return lambda root, _: edited(episode(root) / "episode.json", lambda v: _set(v, keys, value))


def in_line(name: str, *keys: str | int, value: Any) -> Harm:
    """Sets a value in the first line of a file of the first episode; the line itself where there are no keys."""

    def harm(root: Path, _: Path) -> None:
        path = episode(root) / name
        first, *rest = path.read_text().splitlines()
        line = json.loads(first)
        line = _set(line, keys, value) if keys else value
        path.write_text("\n".join([json.dumps(line), *rest]) + "\n")

    return harm


def without(name: str, *keys: str | int) -> Harm:
    """Leaves a key out of the first line of a file of the first episode."""

    def harm(root: Path, _: Path) -> None:
        path = episode(root) / name
        first, *rest = path.read_text().splitlines()
        line = json.loads(first)
        place = line
        for key in keys[:-1]:
            place = place[key]
        del place[keys[-1]]
        path.write_text("\n".join([json.dumps(line), *rest]) + "\n")

    return harm


def text(name: str, data: bytes) -> Harm:
    """Writes a file anew; `{id}` in its name is the first episode's."""
    return lambda root, _: (root / name.format(id=first_id(root))).write_bytes(data) and None


def raw_value(name: str, data: str) -> Harm:
    """Puts JSON that Python would not write into a `info` of the file."""

    def harm(root: Path, _: Path) -> None:
        path = root / name.format(id=first_id(root))
        path.write_text(path.read_text().replace('"info":{', f'"info":{{"x":{data},', 1).replace(",}", "}"))

    return harm


def with_id(name: str) -> Harm:
    """Renames the first episode in the plan, and moves its folder where that is possible."""

    def harm(root: Path, victim: Path) -> None:
        named = name.replace("VICTIM", str(victim))
        edited(episode(root) / "episode.json", lambda v: _set(v, ("spec", "id"), named))
        target = root / "episodes" / named
        old = episode(root)
        edited(root / "run.json", lambda v: _set(v, ("planned", 0, "id"), named))
        if "\0" not in named and len(named) < 200 and not target.exists() and target.parent.is_dir():
            old.rename(target)

    return harm


def instead(name: str, make: Callable[[Path, Path], None]) -> Harm:
    """Puts something else in the place of a file or folder."""

    def harm(root: Path, victim: Path) -> None:
        path = root / name.format(id=first_id(root), blob=str(a_blob(root).relative_to(root)))
        moved = victim.parent / "moved aside"
        if path.exists():
            path.rename(moved / path.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path, victim)

    return harm


def fifo(path: Path, _: Path) -> None:
    os.mkfifo(path)


def folder(path: Path, _: Path) -> None:
    path.mkdir()


def link_to(name: str) -> Callable[[Path, Path], None]:
    """A link to a file or folder of the victim, or an absolute path."""
    return lambda path, victim: path.symlink_to(Path(name) if name.startswith("/") else victim / name)


def sparse(size: int) -> Callable[[Path, Path], None]:
    """A file of so many zeros that take no room."""

    def make(path: Path, _: Path) -> None:
        with path.open("wb") as file:
            file.truncate(size)

    return make


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def png(width: int, height: int) -> bytes:
    """A PNG that claims a size and has hardly any bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def blob_of(data: bytes, width: int = 8, height: int = 8) -> Harm:
    """Gives every step a picture of these bytes, under their right name."""

    def harm(root: Path, _: Path) -> None:
        old = a_blob(root)
        digest = hashlib.sha256(data).hexdigest()
        new = root / "blobs" / digest[:2] / digest
        new.parent.mkdir(exist_ok=True)
        new.write_bytes(data)
        for path in root.glob("episodes/*/*.json*"):
            said = path.read_text().replace(old.name, digest)
            path.write_text(said.replace('"width":8,"height":8', f'"width":{width},"height":{height}'))

    return harm


def twice(change: Callable[[str], str]) -> Harm:
    """Gives the second episode the first one's id, changed."""
    return lambda root, _: edited(
        root / "run.json", lambda v: _set(v, ("planned", 1, "id"), change(v["planned"][0]["id"]))
    )


def _set(value: Any, keys: tuple[str | int, ...], new: Any) -> Any:
    place = value
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = new
    return value


def specs(run: Run) -> Iterator[EpisodeSpec]:
    yield from run.record.planned


CONTROL = "\x1b]0;owned\x07\x1b[2J"
BIG = 10**30

IDS = {
    f"id {name!r}"[:60]: with_id(name)
    for name in (
        *(
            "../../victim/inside",
            "../victim",
            "..",
            ".",
            "",
            "/tmp/x",
            "VICTIM/inside",
            ".hidden",
            "-rf",
            "a/b",
            "a\\b",
            "nul\0in it",
            "x" * 300,
            "line\nbreak",
        ),
        *(
            "turned\u202egpj.html",
            "%2e%2e%2fvictim",
            "a~1",
            "a@1",
            "a b",
            "a?b",
            "a#b",
            "<script>",
            "a:b",
            CONTROL,
            "\ud83d"[:0] + "a\u2028b",
        ),
    )
}
NAMES = {
    "no environment": in_run("planned", 0, "task", "env", value=""),
    "environment moves the cursor": in_run("planned", 0, "task", "env", value=CONTROL),
    "endless environment": in_run("planned", 0, "task", "env", value="e" * 10_000),
    "environment leads out": in_run("planned", 0, "task", "env", value="../../victim"),
    "task leads out": in_run("planned", 0, "task", "task", value="../../../victim"),
    "task is absolute": in_run("planned", 0, "task", "task", value="/etc"),
    "task moves the cursor": in_run("planned", 0, "task", "task", value=CONTROL),
    "task is rich markup": in_run("planned", 0, "task", "task", value="[/bold][red]"),
    "suite moves the cursor": in_run("suite", value=CONTROL),
    "suite leads out": in_run("suite", value="../../victim/x"),
    "identity leads out": in_run("identity", value="../../victim/x"),
    "endless identity": in_run("identity", value="i" * 10_000),
    "version moves the cursor": in_run("versions", value={"numpy": CONTROL}),
    "created is not a time": in_run("created", value="yesterday"),
    "model leads out": in_run("config", "model", value={"provider": "openai", "name": "../../../victim/x"}),
    "model is markup": in_run("config", "model", value={"provider": "openai", "name": "<script>alert(1)</script>[/x]"}),
    "model moves the cursor": in_run("config", "model", value={"provider": "openai", "name": CONTROL}),
    "same id twice": twice(str),
    "same id in other case": twice(str.upper),
}
SHAPES = {
    "run.json is empty": text("run.json", b""),
    "run.json is a list": text("run.json", b"[1]"),
    "run.json is null": text("run.json", b"null"),
    "run.json is not text": text("run.json", b"\xff\xfe{}"),
    "run.json is deep": text("run.json", nested(200_000).encode()),
    "plan is null": in_run("planned", value=None),
    "plan is empty": in_run("planned", value=[]),
    "model is a list": in_run("config", "model", value=[1]),
    "agent is a text": in_run("config", "agent", value="x"),
    "run is a number": in_run("config", "run", value=3),
    "imported is a text": in_run("config", "imported", value="balrog"),
    "imported summary is a list": in_run("config", "imported", value={"summary": [1], "name": "x"}),
    "imported numbers are texts": in_run(
        "config", "imported", value={"summary": {"environments": {"nle": {"progression_percentage": "1"}}}}
    ),
    "imported numbers are missing": in_run("config", "imported", value={"summary": {"environments": {"nle": {}}}}),
    "imported environments are a list": in_run("config", "imported", value={"summary": {"environments": [1, 2]}}),
    "configuration is deep": in_run("config", "x", value=json.loads(nested(90))),
    "configuration is very deep": lambda root, _: _put_raw(root, nested(5_000)),
    "whole number of 100 bits": in_run("config", "x", value=BIG),
    "whole number of a million digits": lambda root, _: _put_raw(root, "9" * 1_000_000),
    "NaN in run.json": lambda root, _: _put_raw(root, "NaN"),
    "1e999 in run.json": lambda root, _: _put_raw(root, "1e999"),
    "half a character in run.json": lambda root, _: _put_raw(root, '"\\ud83d"'),
    "options are deep": in_run("planned", 0, "task", "kwargs", value={"x": json.loads(nested(90))}),
    "seed of 100 bits": in_run("planned", 0, "seed", value=BIG),
    "price of the run is a text": in_run("config", "run", value={"price": "free"}),
    "base_url is a number": in_run("config", "model", value={"provider": "openai", "name": "gpt-4o", "base_url": 3}),
}


def _put_raw(root: Path, value: str) -> None:
    path = root / "run.json"
    path.write_text(path.read_text().replace('"config": {', f'"config": {{"x": {value},', 1))


RESULTS = {
    "result of another id": in_result("spec", "id", value="../../../victim/x"),
    "result of another environment": in_result("spec", "task", "env", value="nethack"),
    "result of another seed": in_result("spec", "seed", value=99),
    "progress of a million": in_result("progress", value=1e6),
    "progress below zero": in_result("progress", value=-0.5),
    "progress is a text": in_result("progress", value="1"),
    "steps below zero": in_result("steps", value=-3),
    "steps of 100 bits": in_result("steps", value=BIG),
    "tokens of 63 bits": in_result("usage", value={"input": 2**62, "output": 2**62}),
    "outcome unknown": in_result("outcome", value="won"),
    "return of 1e308": in_result("return_", value=1e308),
    "metrics of 1e308": in_result("metrics", value={"a": 1e308, CONTROL: 1.0}),
    "information is deep": in_result("info", value={"x": json.loads(nested(90))}),
    "information of 100 bits": in_result("info", value={"x": BIG}),
    "result without mission and end": in_result("mission", value=None),
    "last picture leads out": in_result("last", "image", "digest", value="../../../victim/secret.txt"),
    "last picture has no size": in_result("last", "image", "width", value=-1),
    "no last observation": in_result("last", value=None),
    "error is rich markup": lambda root, v: (
        in_result("error", value="[/bold] [link=file:///]")(root, v),
        in_result("outcome", value="infra_failure")(root, v),
    )[1],
    "result is deep": text("episodes/{id}/episode.json", nested(100_000).encode()),
    "result is empty": text("episodes/{id}/episode.json", b""),
    "result has NaN": raw_value("episodes/{id}/episode.json", "NaN"),
    "result has half a character": raw_value("episodes/{id}/episode.json", '"\\udfff"'),
}
LINES = {
    "step without calls": without("steps.jsonl", "decision", "calls"),
    "step without decision": without("steps.jsonl", "decision"),
    "step without observation": without("steps.jsonl", "observation"),
    "step is null": in_line("steps.jsonl", value=None),
    "step is a list": in_line("steps.jsonl", value=[1, 2]),
    "observation is a list": in_line("steps.jsonl", "observation", value=[1]),
    "observation text is a number": in_line("steps.jsonl", "observation", "text", value=3),
    "picture is a text": in_line("steps.jsonl", "observation", "image", value="x"),
    "pictures are numbers": in_line("steps.jsonl", "observation", "more_images", value=[1, 2]),
    "picture leads out": in_line("steps.jsonl", "observation", "image", "digest", value="../../../victim/secret.txt"),
    "picture of no size": in_line("steps.jsonl", "observation", "image", "width", value=0),
    "picture larger than said": in_line("steps.jsonl", "observation", "image", "width", value=9),
    "picture that is missing": in_line("steps.jsonl", "observation", "image", "digest", value="0" * 64),
    "reply is a number": in_line("steps.jsonl", "decision", "calls", 0, "reply", value=3),
    "reply text is null": in_line("steps.jsonl", "decision", "calls", 0, "reply", "text", value=None),
    "prompt of unknown messages": in_line(
        "steps.jsonl", "decision", "calls", 0, "messages", value=["nothing", "../../x"]
    ),
    "prompt of numbers": in_line("steps.jsonl", "decision", "calls", 0, "messages", value=[1, 2]),
    "prompt of lists": in_line("steps.jsonl", "decision", "calls", 0, "messages", value=[[1]]),
    "step information is deep": in_line("steps.jsonl", "info", value={"x": json.loads(nested(90))}),
    "step information is very deep": raw_value("episodes/{id}/steps.jsonl", nested(50_000)),
    "step information of 100 bits": in_line("steps.jsonl", "info", value={"x": BIG}),
    "step information of a million digits": raw_value("episodes/{id}/steps.jsonl", "9" * 1_000_000),
    "events are numbers": in_line("steps.jsonl", "events", value=[1]),
    "events of 100 bits": in_line("steps.jsonl", "events", value=[{"kind": "x", "n": BIG}]),
    "steps are noise": text("episodes/{id}/steps.jsonl", bytes(range(256)) * 40),
    "message without parts": without("messages.jsonl", "message", "parts"),
    "message of no parts": in_line("messages.jsonl", "message", "parts", value=[]),
    "message with empty text": in_line("messages.jsonl", "message", "parts", value=[{"type": "text", "text": ""}]),
    "parts are null": in_line("messages.jsonl", "message", "parts", value=None),
    "part is unknown": in_line("messages.jsonl", "message", "parts", value=[{"type": "video", "url": "http://x"}]),
    "part has no kind": in_line("messages.jsonl", "message", "parts", value=[{}]),
    "part is a text": in_line("messages.jsonl", "message", "parts", value=["hello", 3, None]),
    "text is null": in_line("messages.jsonl", "message", "parts", value=[{"type": "text", "text": None}]),
    "prompt picture leads out": in_line(
        "messages.jsonl", "message", "parts", value=[{"type": "image", "digest": "../../x", "width": 1, "height": 1}]
    ),
    "prompt picture of no size": in_line(
        "messages.jsonl", "message", "parts", value=[{"type": "image", "digest": "0" * 64}]
    ),
    "message is null": in_line("messages.jsonl", "message", value=None),
    "message is a list": in_line("messages.jsonl", "message", value=[1]),
    "message has no id": without("messages.jsonl", "id"),
    "message id is a list": in_line("messages.jsonl", "id", value=[1]),
    "role is a number": in_line("messages.jsonl", "message", "role", value=3),
    "message is deep": text("episodes/{id}/messages.jsonl", nested(100_000).encode() + b"\n"),
}
FILES = {
    **{f"{name} is a pipe": instead(name, fifo) for name in ("run.json", "episodes", "blobs")},
    **{
        f"{name} is a link": instead(name, link_to("folder"))
        for name in ("episodes", "blobs", "episodes/{id}", "episodes/{id}/attempt-1", "exports")
    },
    **{
        f"{name} is {what}": instead(f"episodes/{{id}}/{name}", make)
        for name in ("steps.jsonl", "messages.jsonl", "episode.json")
        for what, make in {
            "a pipe": fifo,
            "a folder": folder,
            "a link to a secret": link_to("secret.txt"),
            "a link to nothing": link_to("nothing"),
            "an endless device": link_to("/dev/zero"),
            "a terabyte": sparse(2**40),
        }.items()
    },
    "run.json is a link": instead("run.json", link_to("secret.txt")),
    "run.json is a device": instead("run.json", link_to("/dev/zero")),
    "run.json is a folder": instead("run.json", folder),
    "run.json is a terabyte": instead("run.json", sparse(2**40)),
    "episode is a pipe": instead("episodes/{id}", fifo),
    "attempt is a pipe": instead("episodes/{id}/attempt-1", fifo),
    "picture is a pipe": instead("{blob}", fifo),
    "picture is a link": instead("{blob}", link_to("secret.txt")),
    "picture is a folder": instead("{blob}", folder),
    "picture is a device": instead("{blob}", link_to("/dev/zero")),
    "picture is a terabyte": instead("{blob}", sparse(2**40)),
    "picture has other bytes": lambda root, _: a_blob(root).write_bytes(b"other") and None,
    "picture is not a picture": blob_of(b"<script>alert(1)</script>"),
    "picture of four billion pixels": blob_of(png(65_000, 65_000), 65_000, 65_000),
    "picture is cut off": blob_of(png(8, 8)[:40]),
    "picture has bad data": blob_of(png(8, 8)),
    "picture of 0 x 0": blob_of(png(0, 0), 0, 0),
    "report.html is a link": instead("report.html", link_to("secret.txt")),
    "report.html is a pipe": instead("report.html", fifo),
    "an exported page is a link": instead("exports/{id}.html", link_to("secret.txt")),
    "an exported table is a link": instead("exports/episodes.csv", link_to("secret.txt")),
    "an exported film is a pipe": instead("exports/{id}.gif", fifo),
    "half an import": text("unfinished", b""),
}
KINDS: dict[str, Harm] = {**IDS, **NAMES, **SHAPES, **RESULTS, **LINES, **FILES}
