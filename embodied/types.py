"""Every record that is persisted or crosses a process boundary: frozen dataclasses, no logic.

The codec is msgspec (`embodied.store.codec`): a record is written as the JSON object of its fields. `Text` and `Image`
are msgspec structs because only those carry the tag that tells the parts of a message apart.
Field docs say unit, range and who writes the field.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec

Json = dict[str, Any]
"""A plain JSON object (strings, numbers, booleans, None, lists and objects of these)."""


# --------------------------------------------------------------------------- messages


class Text(msgspec.Struct, frozen=True, tag="text", tag_field="type"):
    """A piece of text in a message."""

    text: str


class Image(msgspec.Struct, frozen=True, tag="image", tag_field="type"):
    """A reference to a PNG; its bytes live once in the run's `blobs/` (see `embodied.blobs`)."""

    digest: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    """SHA-256 of the PNG bytes, hexadecimal; a record with any other text, which could be a path, is not read."""
    width: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    """Pixels."""
    height: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    """Pixels."""


Part = Text | Image
Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One chat message. Agents make messages; environments never do."""

    role: Role
    parts: tuple[Part, ...]


# --------------------------------------------------------------------------- environment


@dataclass(frozen=True)
class Mission:
    """The task in words, which an agent gets before the first step. It is free of any model's prompt style."""

    goal: str
    """What to achieve, one or two sentences."""
    actions: dict[str, str] = field(default_factory=dict)
    """Phrase -> gloss, in order. With `free_text` false it is exactly the set of accepted phrases; else a list of
    command patterns.
    """
    intro: str = ""
    """What kind of world this is, one or two sentences."""
    tips: tuple[str, ...] = ()
    default_action: str = ""
    """Executed in place of a phrase outside the vocabulary."""
    free_text: bool = False
    """True where any string is an action (TextWorld)."""
    prose: bool = False
    """With `free_text`: an action is an answer in sentences, of as many lines as it takes, not a command of one line.
    """
    max_steps: int | None = None
    """Steps after which the environment truncates; None for no limit."""


@dataclass(frozen=True)
class Observation:
    """What an agent sees at one step, and what its previous action led to."""

    text: str
    """The part of the observation that stays in the history."""
    status: str = ""
    """The part that matters only in this step (inventory, vital signs); shown for the current step only."""
    image: Image | None = None
    expert: str = ""
    """What the environment's own expert would do; only where the environment was made with `expert=True`, never shown
    to a model.
    """
    step: int = 0
    """0 for the observation of `reset`."""
    executed: str | None = None
    """The action the environment executed to get here; None after `reset`."""
    valid: bool = True
    """False when the agent's previous action was outside the vocabulary and `executed` is the default action."""
    reward: float = 0.0
    more_images: tuple[Image, ...] = ()
    """Further pictures of the same moment, in order, where an environment shows several (two paths side by side, a
    crop).
    """
    actions: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """The phrases that replace `Mission.actions` in this step; with `free_text` the command patterns. If unset, the
    mission's hold, and records do not mention the field.
    """


# --------------------------------------------------------------------------- model calls


@dataclass(frozen=True)
class Settings:
    """Sampling settings of one model call. None leaves the provider's default."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    reasoning_effort: str | None = None
    """For reasoning models: minimal, low, medium or high."""
    thinking_tokens: int | None = None
    """For models with a thinking budget: tokens."""
    choices: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """The answer must be exactly one of these texts. If unset, any text is an answer, and records do not mention the
    field.
    """


@dataclass(frozen=True)
class Usage:
    """Tokens of one call, as the provider counted them."""

    input: int = 0
    output: int = 0
    """Includes reasoning tokens."""
    reasoning: int = 0
    cached: int = 0
    """The part of `input` that the provider served from its prompt cache."""
    repeated: int = 0
    """The part of `input` that was word for word the beginning of the episode's previous prompt, measured in
    characters: what a prompt cache can serve. Written by the agent."""
    estimated: int = 0
    """The part of `input` and `output` that the provider did not count and that was estimated from the number of
    characters.
    """


@dataclass(frozen=True)
class Reply:
    """A model's answer. `reasoning` is never part of `text`."""

    text: str
    reasoning: str = ""
    usage: Usage = Usage()
    stop: str = "stop"
    """Why it ended: stop, length, content_filter, or the provider's own word."""
    model: str = ""
    """The model's name as the provider reported it."""
    seconds: float = 0.0
    """Wall time of the call."""
    cached: bool = False
    """True when a cache layer answered and no call was made."""
    attempts: int = 1
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    """Natural-log probabilities, one for each of `token_ids`."""
    weighed: dict[str, float] | msgspec.UnsetType = msgspec.UNSET
    """Where the model weighed `Settings.choices`: the likeliest of them, and the one that was taken, each with the
    natural logarithm of the probability that the model answers it and ends there. Likeliest first.
    """


@dataclass(frozen=True)
class Call:
    """One model call as it was made: the exact prompt and the exact reply."""

    messages: tuple[Message, ...]
    reply: Reply


@dataclass(frozen=True)
class Note:
    """Something a reader of the record must know about how a decision came about."""

    kind: str
    """One of the words of `embodied.agents.notes`; notes of a kind are counted under the table."""
    text: str
    """One sentence."""


@dataclass(frozen=True)
class Decision:
    """What an agent decided at one step."""

    action: str
    """The phrase handed to the environment. When `parsed` is false it is the raw reply, shortened."""
    parsed: bool = True
    """False when no action could be read out of the reply; the environment then executes its default action."""
    thought: str = ""
    calls: tuple[Call, ...] = ()
    """Model calls in order; more than one when the agent re-asked. Empty for agents without a model."""
    notes: tuple[Note, ...] = ()
    """What happened on the way: a prompt that was shortened, text behind the first command that was dropped, ..."""


# --------------------------------------------------------------------------- events

How = Literal["typed", "speech", "choice", "pointer", "takeover", "oracle", "script", "critic"]
"""The way that a correction came."""
Why = Literal["", "explicit", "done", "new correction", "time-out", "takeover", "episode end"]
"""Why a correction ended. done: the action that it names was executed. time-out: it counted for as many steps as it
should. Empty while it counts.
"""
Status = Literal["draft", "applied", "committed", "discarded", "superseded"]
"""draft: no decision has heard it yet. applied: a decision has heard it, and it still counts. committed: it ended after
that. discarded: it ended before a decision heard it. superseded: a newer correction took its place.
"""


class Recording(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The sound of words that a person said to a microphone. It is a blob of the run until somebody deletes it."""

    digest: str
    """SHA-256 of the WAV file."""
    seconds: float = 0.0
    heard: str = ""
    """What the recognizer understood, before the person edited it."""
    model: str = ""
    """The recognizer."""


class Correction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="correction", tag_field="kind"):
    """Words that were spoken to a running agent. A correction that counts for several steps is recorded twice under one
    `id`: in the step in which it was spoken, and as it is at its end, in the step in which it ended.
    """

    text: str
    """The raw words."""
    how: How
    by: str
    """A label of the speaker (`oracle`, `person 1`); not the name of an account."""
    id: str = ""
    """`3-1`: the first correction that was spoken in step 3. The runner writes this and all that follows."""
    opened: int = 0
    """The step in which it was spoken."""
    applied: int | None = None
    """The first step whose decision heard it."""
    ended: int | None = None
    """The last step in which it counted."""
    why: Why = ""
    status: Status = "draft"
    lasts: int = 1
    """Steps after which it ends by itself, at least 1. The speaker sets it."""
    resolved: str = ""
    """The action that the words name; empty where they name none, or several."""
    method: str = ""
    """How that was found: phrase, alias or grammar (`embodied.agents.resolving`); sentence or hashing, where meanings
    were compared (`corrector.sentences`); asked, where the speaker was asked what the words mean."""
    score: float | None = None
    """How surely, in [0, 1]: for sentence and hashing a cosine; for asked, how surely the answer was understood."""
    superseded: Decision | None = None
    """The decision that was not executed because of it, with its model calls."""
    calls: tuple[Call, ...] = ()
    """Model calls of the speaker, where it is a model."""
    recording: Recording | None = None
    """The sound of the words, where they were spoken to a microphone."""


class Takeover(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="takeover", tag_field="kind"):
    """Somebody acted in the agent's place in this step."""

    by: str
    action: str
    superseded: Decision | None = None
    """The agent's decision that was not executed; None where it was not asked."""


class Interrupt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="interrupt", tag_field="kind"):
    """Something was broken off: a model call in flight, or the showing of frames."""

    by: str
    frame: int | None = None
    """The number of the frame, from 0, behind which a step was cut short; None for a model call."""
    calls: tuple[Call, ...] = ()
    """The call that was broken off, with what it cost."""
    superseded: Decision | None = None
    """The decision that was made already and was not executed."""


class Label(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="label", tag_field="kind"):
    """What somebody says of a step, or of the whole episode: `success`, `failure`, or words of their own."""

    text: str
    by: str
    step: int | None = None
    """The step that it is about, at most the one that it stands in; None for the whole episode."""


class Branch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="branch", tag_field="kind"):
    """Another episode goes on from an earlier step of this one. It was begun while this step was played."""

    episode: str
    """The other episode's id."""
    by: str
    step: int = 0
    """How many of this episode's steps the other one repeats."""


class Review(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="review", tag_field="kind"):
    """A corrector looked at a decision with model calls, and stayed silent."""

    by: str
    calls: tuple[Call, ...] = ()
    notes: tuple[Note, ...] = ()
    """Why it stayed silent, where that was not its judgement."""


Event = Correction | Takeover | Interrupt | Label | Branch | Review
"""What happened around a step and was not the agent's own doing."""


# --------------------------------------------------------------------------- episodes

Outcome = Literal["finished", "limit", "refused", "model_failure", "infra_failure", "cancelled"]
"""finished: the environment terminated. limit: step limit reached. Only these two are scored. refused: the model's
provider accepts no prompt of this episode's kind (too long, filtered); other episodes continue."""


@dataclass(frozen=True)
class TaskSpec:
    """A task of a suite: which environment, with which options."""

    env: str
    """Command-line name (`nethack`) or `gym:ID`."""
    task: str
    kwargs: Json = field(default_factory=dict)
    """Options for the environment's constructor besides `task`."""
    control: str | msgspec.UnsetType = msgspec.UNSET
    """What is taken from the agent (`embodied.controls`). Unset for nothing: then records do not mention the field."""


@dataclass(frozen=True)
class EpisodeSpec:
    """One planned episode. `id` is derived from everything that decides what happens in it (see
    `embodied.rollout.plan`).
    """

    id: str
    task: TaskSpec
    seed: int
    """Environment seed in [0, 2**31)."""
    index: int
    """0, 1, ... within the task: the repeat."""
    agent_seed: int
    """Seed of the agent's own random stream, in [0, 2**63)."""
    parent: str | msgspec.UnsetType = msgspec.UNSET
    """Of a branch: the id of the episode whose first steps it repeats. Unset for a planned episode: then records do not
    mention the field. A branch counts in no score.
    """
    from_step: int | msgspec.UnsetType = msgspec.UNSET
    """Of a branch: how many steps it repeats, which is the number of its first step of its own."""


@dataclass(frozen=True)
class Step:
    """One line of `steps.jsonl`: the observation acted on, the decision, and what the environment answered.

    The observation that `reset` returned is the `observation` of step 0; the one that ends the episode is
    `Episode.last`.
    """

    index: int
    observation: Observation
    decision: Decision
    executed: str
    valid: bool
    reward: float
    terminated: bool
    truncated: bool
    progress: float | None
    """In [0, 1]; None where the environment cannot score what was done (an answer to a question without a reference).
    """
    info: Json
    """The environment's info, plain JSON, without progress and valid."""
    next_hash: str
    """SHA-256 over the observation that followed (text, status and image); what replay compares."""
    agent_seconds: float
    env_seconds: float
    events: tuple[Event, ...] = ()
    """In the order in which they happened. An empty one is not written."""


@dataclass(frozen=True)
class Episode:
    """`episode.json`: how an episode ended. Its presence means the episode is done."""

    spec: EpisodeSpec
    outcome: Outcome
    steps: int
    progress: float | None
    """In [0, 1]; None unless the outcome is scored, or where the environment could not score it."""
    success: bool | None
    return_: float
    """Sum of rewards."""
    invalid_actions: int
    usage: Usage
    seconds: float
    metrics: dict[str, float] = field(default_factory=dict)
    """The environment's own metrics at the end (depth, achievements, ...); those that are not numbers are left out."""
    error: str = ""
    """One sentence when the outcome is a failure."""
    error_kind: str = ""
    """Class name of the error (`embodied.errors`)."""
    end_reason: str = ""
    first_hash: str = ""
    """Hash of the observation `reset` returned."""
    last: Observation | None = None
    mission: Mission | None = None
    info: Json = field(default_factory=dict)
    """Info of `reset`: what the seed chose (the game file, the level, ...)."""
    counts: dict[str, int] = field(default_factory=dict)
    """How often something happened that the table counts: kinds of `Decision.notes`, and replies that were empty, cut
    or cached.
    """
    models: tuple[str, ...] = ()
    """The names under which the model reported itself, in order of appearance."""
    events: tuple[Event, ...] = ()
    """What stands in no step: corrections that no executed decision followed, and the ends of those that were in force
    when the episode was broken off. An episode that continues keeps the former. An empty one is not written.
    """
    advice: Usage | msgspec.UnsetType = msgspec.UNSET
    """The part of `usage` that a corrector's own model used. Unset where it used none: then records do not mention the
    field.
    """
