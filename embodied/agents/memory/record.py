"""Memory: one example that an agent learnt from, as one line of `memories.jsonl`.

After ICAL (Sarch et al. 2024, arXiv 2406.14596): the goal, what was seen, what was done and what should be done, and in
words why. Where it came from, how often it helped, and whether it was checked stand beside it.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import msgspec

from embodied.errors import StoreError
from embodied.store.checks import LONGEST_NAME, is_id, is_line, is_task
from embodied.store.codec import encode
from embodied.terminal import line
from embodied.types import Image

FORMAT = 1
"""Of a record. A later one is refused."""
LONGEST_TEXT = 20_000
"""Characters of a goal, an observation or a state."""
LONGEST_LINE = 2_000
"""Characters of an action, a note, a lesson or a feedback."""
MOST_ACTIONS = 10_000
MOST_NOTES = 200
"""Of each kind."""
MOST_PICTURES = 16
MOST_COUNTED = 2**53

LongText = Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]
Line = Annotated[str, msgspec.Meta(max_length=LONGEST_LINE)]
Name = Annotated[str, msgspec.Meta(max_length=LONGEST_NAME)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MOST_COUNTED)]
Lines = Annotated[tuple[Line, ...], msgspec.Meta(max_length=MOST_NOTES)]
Actions = Annotated[tuple[Line, ...], msgspec.Meta(max_length=MOST_ACTIONS)]
Ids = Annotated[tuple[Name, ...], msgspec.Meta(max_length=MOST_ACTIONS)]

Status = Literal["candidate", "verified", "quarantined", "retired"]
"""candidate: written, not yet shown to work. verified: it was executed, and it succeeded. quarantined: something speaks
against it, and somebody must look at it. retired: it is out of use, and kept for the record."""


class Notes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """ICAL's abstractions, one sentence each."""

    causal: Lines = ()
    """Why a step is needed, or is not."""
    state_changes: Lines = ()
    """What becomes of the things in the world."""
    subgoals: Lines = ()
    """The plan, in order."""
    relevant: Lines = ()
    """The parts of the state that matter."""


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How the episode ended in which `Memory.actions` were executed."""

    success: bool | None = None
    """None where the environment does not say, or where nothing was executed."""
    progress: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    steps: Count = 0


class Provenance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where a memory comes from. A field is empty where there is nothing of the kind."""

    episode: Name = ""
    """The episode's id. At most one memory an episode is retrieved at a time."""
    run: Name = ""
    """The identity of the run that the episode is of."""
    seed: int | None = None
    """The environment's seed."""
    split: Name = ""
    """`train` for all that may teach (`embodied.splits`)."""
    agent: Name = ""
    """The version that played, as in tables: `tinyvlm@0123456789ab`, or an agent's name."""
    prompt: Name = ""
    """The version of the prompt that the abstraction was written with; empty where no model wrote it."""
    by: Name = ""
    """Who wrote the abstraction: a model's name, `rules`, `person 1`."""


class Stats(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How often a memory was used, in episodes. An episode counts once, however many of its steps retrieved it."""

    retrieved: Count = 0
    in_success: Count = 0
    in_failure: Count = 0


class Links(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Ids of other memories."""

    supersedes: Ids = ()
    """Those that this one stands for since they were merged, or revised."""
    conflicts: Ids = ()
    """Those that say the opposite in the same state."""


class Memory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One example. What stands at its default is not written: a field that is added later changes no byte."""

    id: Name
    """`new_id` makes it."""
    env: Name
    """Command-line name of the environment (`babyai`)."""
    task: Name
    goal: LongText
    """The instruction, as the agent got it."""
    observation: LongText = ""
    """The text that the agent saw at its beginning."""
    state: LongText = ""
    """The abstracted state at its beginning, as text."""
    raw: Actions = ()
    """The actions that were executed in the episode that it comes from."""
    actions: Actions = ()
    """The actions that should be executed: the optimised trajectory."""
    notes: Notes = Notes()
    lessons: Lines = ()
    """What holds beyond this episode, one sentence each."""
    feedbacks: Lines = ()
    """What was said where an attempt failed, in order; their number is what the example cost."""
    outcome: Result = Result()
    provenance: Provenance = Provenance()
    stats: Stats = Stats()
    status: Status = "candidate"
    links: Links = Links()
    pictures: Annotated[tuple[Image, ...], msgspec.Meta(max_length=MOST_PICTURES)] = ()
    """Of the beginning, in order. Their bytes lie in the run's blobs, and in the `pictures.safetensors` of a finished
    memory.
    """
    format: int = FORMAT


def new_id(memory: Memory) -> str:
    """Sixteen hexadecimal digits of what a memory teaches and where it comes from. Its use, its status and its links do
    not count, so that they may change.
    """
    content = msgspec.structs.replace(memory, id="", stats=Stats(), status="candidate", links=Links())
    return hashlib.sha256(encode(content)).hexdigest()[:16]


def identified(memory: Memory) -> Memory:
    """`memory` with the id that `new_id` gives it."""
    return msgspec.structs.replace(memory, id=new_id(memory))


def check_memory(memory: Memory, where: str) -> None:
    """Checks the names in a memory, which become keys and lines in a table. `decode_memory` checks the rest.

    Raises:
        StoreError: The first thing that no memory of ours has.
    """
    if not is_id(memory.id):
        raise StoreError(f"{where} is damaged: {_shown(memory.id)} is not a memory's id.")
    if not is_line(memory.env) or not memory.env or not is_task(memory.task):
        raise StoreError(
            f"{where} is damaged: {_shown(f'{memory.env} {memory.task}')} is not an environment and a task."
        )
    source, links = memory.provenance, memory.links
    names = (source.episode, source.run, source.split, source.agent, source.prompt, source.by)
    for name in (*names, *links.supersedes, *links.conflicts):
        if not is_line(name):
            raise StoreError(f"{where} is damaged: {_shown(name)} in memory {memory.id} is not one short line.")
    if source.seed is not None and not 0 <= source.seed < 2**63:
        raise StoreError(f"{where} is damaged: memory {memory.id} has the seed {source.seed}, which is out of range.")


def checked(memory: Memory, where: str = "The new memory") -> Memory:
    """`memory`, after a look at every length and range, as `decode_memory` takes it.

    Raises:
        StoreError: It could not be read again.
    """
    return decode_memory(encode(memory), where)


def decode_memory(data: bytes, where: str) -> Memory:
    """The memory in a line of JSON.

    Raises:
        StoreError: It is not one, is of a later format, or holds a value that is out of its range.
    """
    try:
        memory = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _check_format(data, where)
        raise StoreError(f"{where} is damaged: {line(str(error))}. Take another copy of the memory.") from error
    if memory.format != FORMAT:
        _check_format(data, where)
        raise StoreError(f"{where} is damaged: there is no format {memory.format} of a memory.")
    check_memory(memory, where)
    return memory


_decoder = msgspec.json.Decoder(Memory)


class _Format(msgspec.Struct):
    format: int = FORMAT


def _check_format(data: bytes, where: str) -> None:
    """Raises `StoreError` where `data` says that it is of a later format; else leaves it to the caller."""
    try:
        found = msgspec.json.decode(data, type=_Format).format
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if found > FORMAT:
        raise StoreError(
            f"{where} has format {found}, and this version of embodied reads formats up to {FORMAT}: upgrade it with"
            " `pip install --upgrade embodied-suite`."
        )


def _shown(text: str) -> str:
    shown = ascii(text)
    return shown if len(shown) <= 100 else shown[:97] + "..."
