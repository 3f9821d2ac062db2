"""Configuration of an agent: plain dataclasses, which Hydra uses as its schema (`agent.history.text=4`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from embodied.errors import UnknownName, UsageError
from embodied.registry import unknown
from embodied.terminal import plain

PARSE_POLICIES = ("strict", "lenient", "reask", "balrog")
READERS = ("v2", "v1")
FORMATS = ("choice",)
CORRECTIONS = ("message", "paragraph")
NOT_FINITE = (
    "agent.format=choice needs a list of actions to choose from, and {} takes any text. Leave the setting out, or"
    " play other tasks."
)
HISTORY_POLICIES = ("window", "blocks")
ASKS = ("", "conformal", "random")
PERCEPTIONS = ("none", "vector")
LONGEST_INSTRUCTIONS = 4_000
"""Characters of `agent.instructions`."""
RETRIEVALS = ("nearest", "random", "shuffled")
UNITS = ("step", "episode")
FALLBACKS = ("random", "default")


@dataclass
class HistoryConfig:
    """How much of the episode a prompt holds. The three caps are independent; the defaults are BALROG's."""

    policy: str = "window"
    """window: the oldest goes with every step, as in BALROG. blocks: the oldest go together, so that most prompts
    continue the one before.
    """
    text: int = 16
    """Observations, counting back from the current one, that are shown with their text."""
    image: int = 0
    """Observations, counting back from the current one, that are shown with their picture. 0 for an agent that sees
    only text.
    """
    actions: int = 0
    """Past actions, counting back, that are shown although their observations have gone. Where text and image reach
    further back, their actions are shown anyway.
    """
    thought: int = 1
    """Past actions, counting back, that are shown with the thought that led to them. Only for agents that think in
    words.
    """
    block: int = 12
    """For blocks: how many go together once a cap is reached; a smaller cap empties at once."""


@dataclass
class ParseConfig:
    """How a reply becomes an action. A declared setting, because it moves scores (see `embodied.agents.parse`)."""

    policy: str = "lenient"
    """strict: the exact phrase in the exact form. lenient: forgives wrapping, never guesses. reask: lenient, then one
    more call.
    balrog: what BALROG's agents send."""
    reader: str = "v2"
    """Version of the reader behind lenient and reask (`embodied.agents.reading`). v1: the reader of runs that record no
    version.
    """


@dataclass
class DemonstrationConfig:
    """Recorded episodes shown before the game begins (see `embodied.agents.few_shot`)."""

    runs: list[str] = field(default_factory=list)
    """Run folders to choose from. Pictures are shown where they were recorded and `history.image` is above 0."""
    episodes: int = 1
    """Demonstrations to show."""
    max_steps: int = 500
    """Steps of all demonstrations together; the one that exceeds the limit is cut. BALROG's 1,000 events are 500 steps.
    """
    min_progress: float = 0.0
    """Only episodes that got at least this far, in [0, 1]."""


@dataclass
class MemoryConfig:
    """How an agent uses the memory of its version (`embodied.agents.memory`). Without a memory nothing is used."""

    k: int = 5
    """Examples that are retrieved, at most one an episode."""
    unit: str = "step"
    """What an example is: one step, or a whole episode."""
    weights: dict[str, float] = field(default_factory=dict)
    """Facet (task, observation, state, picture) -> weight. Empty: those that were chosen for the memory."""
    usefulness: float = 0.0
    """Weight of how often an example helped."""
    retrieval: str = "nearest"
    """nearest: those that are most like the moment. Controls: random; or shuffled, which finds each by another's words.
    """
    any_world: bool = False
    """Whether examples of other environments are found, too."""
    again: bool = False
    """For agents with a model: whether examples are retrieved in every step, not only at the beginning."""
    contrast: bool = False
    """For agents with a model: whether a corrected example shows the wrong action, too."""
    lessons: int = 15
    """For agents with a model: lessons of the retrieved examples that are shown, at most."""
    characters: int = 12_000
    """For agents with a model: of all examples and lessons together, at most."""
    fallback: str = "random"
    """For `template`: what it plays where no example can be executed: random, or the default action."""


@dataclass
class AgentConfig:
    """An agent. Everything in it is recorded with the run."""

    policy: str = "naive"
    """Name in `embodied.agents.AGENTS`."""
    version: str = ""
    """Hash of the agent's folder, where one is played (`--agent FOLDER`). It is computed and recorded."""
    format: str | None = None
    """How a model gives its action. None: in the form that the policy asks for. choice: the model can answer only with
    an action of the list (see `embodied.agents.formats.Held`).
    """
    history: HistoryConfig = field(default_factory=HistoryConfig)
    parse: ParseConfig = field(default_factory=ParseConfig)
    feedback: bool = True
    """Whether the agent hears that its action was not valid, and which action was executed instead."""
    corrections: str = "message"
    """How a prompt holds what a person says. message: a message of its own behind the observation, as long as the
    correction counts. paragraph: the head of the observation, as in runs that record no value.
    """
    instructions: str = ""
    """Words of the user's own that every prompt gives behind the tips of the mission, as a paragraph."""
    follow: bool = False
    """Whether a correction that names an action is executed without asking the model, for models that were never taught
    to read corrections (see `embodied.agents.obedient`).
    """
    asks: str = ""
    """When the agent asks for help. Empty: never. conformal: where its calibrated set is not a single action. random,
    the control: as often, at random. Both need an agent's folder that `embodied calibrate` made
    (see `embodied.agents.asking`).
    """
    samples: int = 1
    """How often a model is asked for each answer. Above 1 the most frequent answer counts, and how often each one came
    stands in for probabilities, where a model tells none.
    """
    seed_calls: bool = True
    """Whether each model call gets a sampling seed derived from the episode's, if the settings name none. This makes
    local models repeatable.
    """
    demonstrations: DemonstrationConfig = field(default_factory=DemonstrationConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    perception: str = "none"
    """How pictures are changed before the model is asked. none: nothing. vector: shapes with places and measures, as
    text (see `embodied.agents.perception.perception`), for the current observation only."""
    perception_keep_image: bool = False
    """With a perception: the pictures are shown too. Otherwise its text stands in their place, and the model need not
    read pictures.
    """
    expert: str = ""
    """For `expert`: which of the environment's experts plays; its first by default."""
    script: list[str] = field(default_factory=list)
    """For `scripted`: the phrases to play; the default action follows. For `constant`: the one phrase."""


def turns(history: HistoryConfig) -> int:
    """How many turns a prompt reaches back, the current one included."""
    return max(history.text, history.image, history.actions)


def shows_pictures(config: AgentConfig) -> bool:
    """Whether pictures of an observation can reach the model."""
    return config.perception == "none" or config.perception_keep_image


def check(config: AgentConfig) -> None:
    """Raises `UsageError` when a value makes no sense; the message names the key."""
    history, demonstrations = config.history, config.demonstrations
    if config.parse.policy not in PARSE_POLICIES:
        raise UnknownName(
            f"There is no parsing policy named {config.parse.policy!r}. agent.parse.policy is one of"
            f" {', '.join(PARSE_POLICIES)}."
        )
    if config.format is not None and config.format not in FORMATS:
        raise UnknownName(
            f"There is no format named {config.format!r}. agent.format is {', '.join(FORMATS)}, or null for the form"
            " that the agent asks for."
        )
    if config.parse.reader not in READERS:
        raise UnknownName(
            f"There is no reader named {config.parse.reader!r}. agent.parse.reader is one of {', '.join(READERS)}."
        )
    if config.corrections not in CORRECTIONS:
        raise UnknownName(
            f"Corrections do not reach a model as {config.corrections!r}. agent.corrections is one of"
            f" {', '.join(CORRECTIONS)}."
        )
    if history.policy not in HISTORY_POLICIES:
        raise UnknownName(
            f"There is no history policy named {history.policy!r}. agent.history.policy is one of"
            f" {', '.join(HISTORY_POLICIES)}."
        )
    if history.block < 1:
        raise UsageError(
            f"agent.history.block counts turns that go together and must be at least 1, not {history.block}."
        )
    if min(history.text, history.image, history.thought, history.actions) < 0:
        raise UsageError("agent.history.text, .image, .actions and .thought count turns and cannot be negative.")
    if history.text == history.image == 0:
        raise UsageError(
            "With agent.history.text=0 and agent.history.image=0 the agent would see nothing. Set one of them to at"
            " least 1."
        )
    if config.perception not in PERCEPTIONS:
        raise unknown("perception", config.perception, list(PERCEPTIONS), "embodied list options")
    if config.perception_keep_image and config.perception == "none":
        raise UsageError("agent.perception_keep_image goes with a perception: add agent.perception=vector.")
    if not shows_pictures(config) and history.text == 0:
        raise UsageError(
            f"With agent.perception={config.perception} pictures are not shown: set agent.history.text to at least 1."
        )
    if demonstrations.episodes < 1 or demonstrations.max_steps < 1 or not 0 <= demonstrations.min_progress <= 1:
        raise UsageError(
            "agent.demonstrations needs episodes and max_steps of at least 1, and min_progress between 0 and 1."
        )
    _check_instructions(config.instructions)
    _check_asking(config)
    _check_memory(config.memory)
    if config.expert and config.policy != "expert":
        raise UsageError(f"agent.expert is for the agent `expert`, not for {config.policy!r}.")
    if config.script and config.policy not in ("scripted", "constant"):
        raise UsageError(f"agent.script is for the agents `scripted` and `constant`, not for {config.policy!r}.")


def _check_asking(config: AgentConfig) -> None:
    if config.asks not in ASKS:
        raise UnknownName(
            f"agent.asks is one of conformal and random, or empty for an agent that never asks, not {config.asks!r}."
        )
    if config.samples < 1:
        raise UsageError(f"agent.samples counts calls and must be at least 1, not {config.samples}.")
    if config.samples > 1 and config.format != "choice" and config.policy not in ("naive", "few_shot"):
        raise UsageError(
            f"agent.samples counts equal answers, and the agent {config.policy} writes more than its action: add"
            " agent.format=choice."
        )


def _check_instructions(text: str) -> None:
    if len(text) > LONGEST_INSTRUCTIONS:
        raise UsageError(
            f"agent.instructions has {len(text)} characters, and may have {LONGEST_INSTRUCTIONS}: each prompt holds it."
        )
    if plain(text) != text or any("\ud800" <= character <= "\udfff" for character in text):
        raise UsageError("agent.instructions holds characters that control a terminal. Write letters and line breaks.")


def _check_memory(memory: MemoryConfig) -> None:
    for key, allowed in (("retrieval", RETRIEVALS), ("unit", UNITS), ("fallback", FALLBACKS)):
        if getattr(memory, key) not in allowed:
            raise UsageError(f"agent.memory.{key} is one of {', '.join(allowed)}, not {getattr(memory, key)!r}.")
    if memory.k < 1 or memory.lessons < 0 or memory.characters < 1:
        raise UsageError("agent.memory.k and .characters must be at least 1, and .lessons at least 0.")


def check_actions(config: AgentConfig, where: str, finite: bool) -> None:
    """Raises `UsageError` when the agent needs a list of actions and `where`, an environment's name, has none.

    Args:
        config: The agent.
        where: The environment, as the user names it.
        finite: Whether its actions are a list (the space `Choice`), not any text (`FreeText`).
    """
    if config.format == "choice" and not finite:
        raise UsageError(NOT_FINITE.format(where))
