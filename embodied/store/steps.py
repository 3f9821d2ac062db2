"""Reads an episode's folder without trusting it: its steps with their prompts, and its result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from embodied.errors import StoreError
from embodied.store.checks import (
    LONGEST_MESSAGES,
    LONGEST_RESULT,
    check_json,
    check_result,
    open_plain,
    plain_size,
    read_plain,
    whole_lines,
)
from embodied.store.codec import decode
from embodied.store.events import call_objects
from embodied.store.sealed import unseal
from embodied.types import Episode, EpisodeSpec, Json, Step


def read_steps(folder: Path, damaged: list[str] | None = None) -> Iterator[Step]:
    """The steps in an episode's folder in order, with their prompts restored; a torn last line is left out.

    Args:
        folder: The episode's.
        damaged: If given, damaged lines are skipped; it takes a sentence for each.

    Raises:
        StoreError: A line is damaged, and `damaged` was not given.
    """
    if plain_size(folder / "messages.jsonl") > LONGEST_MESSAGES:
        raise StoreError(
            f"{folder / 'messages.jsonl'} is larger than {LONGEST_MESSAGES:,} bytes, which no episode of ours is."
            " Restore it from a copy."
        )
    messages = {
        id_: line.get("message")
        for _, line in read_objects(folder / "messages.jsonl", damaged)
        if isinstance(id_ := line.get("id"), str)
    }
    for where, line in read_objects(folder / "steps.jsonl", damaged):
        try:
            step = _step(line, messages, where)
        except StoreError as error:
            if damaged is None:
                raise
            damaged.append(str(error))
            continue
        yield step


def read_result(folder: Path, spec: EpisodeSpec | None) -> Episode | None:
    """The result in an episode's folder; None where there is none.

    Args:
        folder: The episode's, or that of an earlier attempt at it.
        spec: What the plan says of the episode; None where it is not planned.

    Raises:
        StoreError: It is damaged, or of another episode.
    """
    path = folder / "episode.json"
    data = read_plain(path, LONGEST_RESULT)
    if data is None:
        return None
    episode = unseal(data, Episode, str(path))
    check_result(episode, spec, str(path))
    return episode


def read_objects(path: Path, damaged: list[str] | None) -> Iterator[tuple[str, Json]]:
    """The JSON objects of a file, each with its place in words; a last line without a newline is torn and left out."""
    file = open_plain(path)
    if file is None:
        return
    with file:
        lines, number = whole_lines(file, str(path)), 0
        while True:
            number += 1
            where = f"{path}, line {number},"
            try:
                line = next(lines, None)
                if line is None:
                    return
                value: Json = decode(line, dict[str, Any], where)
            except StoreError as error:
                if damaged is None:
                    raise
                damaged.append(str(error))
                continue
            yield where, value


def _step(line: Json, messages: Json, where: str) -> Step:
    """The step in a line of `steps.jsonl`, its messages put back."""
    try:
        for call in call_objects(line):
            call["messages"] = [messages[m] for m in call["messages"]]
        step = msgspec.convert(line, Step)
        check_json(step.info, where)
        return step
    except (KeyError, TypeError, AttributeError, msgspec.ValidationError, RecursionError) as error:
        raise StoreError(
            f"{where} is damaged: {type(error).__name__}: {error}. Restore it from a copy, or delete the episode's"
            " folder to run it again."
        ) from error
