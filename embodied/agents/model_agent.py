"""ModelAgent: the agent that asks a model. Policies differ only in the parts it is composed of."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from embodied.agents.config import NOT_FINITE
from embodied.agents.fitting import Fitting, Prompt, cuts
from embodied.agents.formats import Format, Held, Plain
from embodied.agents.history import HISTORIES, History
from embodied.agents.notes import SHORTENED, UNASKED, UNHELD
from embodied.agents.parse import Parser, parser, printable, shorten
from embodied.agents.perception.perception import PERCEPTIONS, Perception
from embodied.agents.prompt import SAYS, instruction, message, offer, repeated
from embodied.agents.vocabulary import accepted, present
from embodied.blobs import Blobs, pictures_of
from embodied.errors import PromptTooLong, UsageError
from embodied.models.base import chooses, weighs
from embodied.models.services.answers import estimated_tokens
from embodied.seeding import derive
from embodied.types import Call, Decision, Message, Mission, Note, Observation, Outcome, Reply, Settings, Step, Usage

if TYPE_CHECKING:
    import numpy as np

    from embodied.agents import Kit
    from embodied.models.base import Model

_LONGEST_PLAN = 8_000
"""Characters of a thought, from its end, that a later prompt repeats: a reply that ran away must not fill every prompt
after it.
"""


_WAY_OUT = (
    "Nothing is left to cut: the instruction and the current observation alone are too long. A new run has room with a"
    " larger context (model.context=N for a model in this process; the server's own option for a server), a smaller"
    " model.max_tokens or fewer demonstrations."
)


_CHOOSERS = (
    "The providers gguf, transformers, openai, anthropic and google can; a server of your own can once model.constraint"
    " says how: json_schema, structured_outputs (vLLM), guided_choice (vLLM before 0.12) or grammar (llama.cpp)."
)


class Opening(Protocol):
    """Messages between the instruction and the history: demonstrations."""

    def messages(self, first: Observation, rng: np.random.Generator) -> Sequence[Message]:
        """Called once, with the first observation of the episode."""
        ...


@runtime_checkable
class Retrieving(Opening, Protocol):
    """An `Opening` that finds its messages by what is seen."""

    again: bool
    """Whether it is asked in every step."""

    def begin(self, mission: Mission) -> None:
        """Called once, before anything else."""
        ...

    def notes(self, observation: Observation) -> tuple[Note, ...]:
        """What the record of this step says of what was found for it."""
        ...


@dataclass
class Parts:
    """What a `ModelAgent` is composed of."""

    model: Model
    settings: Settings
    history: History
    format: Format
    parser: Parser
    opening: Opening | None = None
    perception: Perception | None = None
    blobs: Blobs | None = None
    """Where a perception finds the pictures."""
    instructions: str = ""
    feedback: bool = True
    corrections: str = "message"
    """How a prompt holds what a person says (`AgentConfig.corrections`)."""
    seed_calls: bool = True


class ModelAgent:
    """Shows a model the instruction, the history and the current observation, and reads an action out of its reply.

    A prompt is the instruction, demonstrations where there are any, and the history, whose last message ends with what
    is asked. Every call is recorded in the decision. A reply from which no action can be read is a decision that is not
    `parsed`.

    With `seed_calls`, and no seed in the settings, the seed of a call is derived from the episode's stream, the step
    and the call's number within the step. So equal episodes sample equally, and it does not matter which steps were
    played before.

    Args:
        parts: Model, settings, history, reply format, parsing policy, ...
    """

    def __init__(self, parts: Parts):
        self.parts = parts
        self._corrections: list[str] = []
        self._spoken: list[Message] = []
        self._seen: Observation | None = None
        self._made: list[Call] = []
        self._in_flight: Prompt | None = None
        self._called = 0

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        self._mission = mission
        self._accepted = accepted(mission)
        if isinstance(self.parts.format, Held) and not self._accepted.finite:
            raise UsageError(NOT_FINITE.format("This environment"))
        self._now, self._ask = mission, self.parts.format.ask(mission)
        self._opening: list[Message] | None = None
        self._sent: tuple[Message, ...] = ()
        self._fitting = Fitting()
        self._seed = int(rng.integers(2**63))
        self._rng = rng
        if isinstance(self.parts.opening, Retrieving):
            self.parts.opening.begin(mission)

    async def act(self, observation: Observation) -> Decision:
        self._made, self._in_flight = [], None
        if self._again(observation):
            self.parts.history.hear(self._heard())
        else:
            self.parts.history.see(await self._perceived(observation), self._notes(observation))
            self._seen = observation
            self._choose_from(observation)
        self._beginning(observation)
        decision = await self._decide(observation.step)
        if isinstance(self.parts.opening, Retrieving):
            decision = replace(decision, notes=(*decision.notes, *self.parts.opening.notes(observation)))
        self._did(decision)
        return decision

    async def _perceived(self, observation: Observation) -> Observation:
        """`observation` with what its pictures show in words, in the part that matters only in this step: a prompt
        holds one such text, even with a long history.
        """
        pictures = pictures_of(observation)
        perception, blobs = self.parts.perception, self.parts.blobs
        if perception is None or blobs is None or not pictures:
            return observation
        seen = await asyncio.to_thread(perception, pictures, blobs)  # other episodes continue
        return replace(observation, status="\n\n".join(filter(None, [observation.status, seen])))

    def unfinished(self) -> tuple[Call, ...]:
        """The model calls of a decision that was interrupted. Of the one in flight nothing came back: its prompt counts
        with an estimated number of tokens.
        """
        if self._in_flight is None:
            return tuple(self._made)
        tokens = estimated_tokens(self._in_flight.messages)
        broken = Reply("", stop="interrupted", usage=Usage(input=tokens, estimated=tokens))
        return (*self._made, Call(self._in_flight.messages, broken))

    @property
    def weighs(self) -> bool:
        """Whether `weigh` can tell: the whole reply is an action of a list, and the model weighs answers."""
        whole = isinstance(self.parts.format, Held | Plain)
        return whole and self._accepted.finite and weighs(self.parts.model)

    async def weigh(self, decision: Decision) -> dict[str, float] | None:
        """How likely its model is to answer each action to the prompt of a decision: one more call, which stands in no
        record.

        Returns:
            Natural logarithms, as `Reply.weighed`; None where the model cannot tell, or nothing was asked.
        """
        choices = tuple(self._now.actions)
        if not (self.weighs and decision.calls and choices):
            return None
        settings = replace(self.parts.settings, choices=choices)
        weighed = (await self.parts.model.generate(decision.calls[-1].messages, settings)).weighed
        return weighed if isinstance(weighed, dict) else None

    def recall(self, step: Step) -> None:
        if self._again(step.observation):
            self.parts.history.hear(self._heard())
        else:
            self.parts.history.see(step.observation, self._notes(step.observation))
            self._seen = step.observation
            self._choose_from(step.observation)
        self._beginning(step.observation)
        self._fit_again(step.decision)
        if step.decision.calls:
            self._sent = step.decision.calls[-1].messages
        self._did(step.decision)

    def hear(self, correction: str) -> None:
        self._corrections.append(correction)

    def end(self, outcome: Outcome) -> None:
        """Nothing to do: the model is shared, and its maker closes it."""

    # ----------------------------------------------------------------- prompt

    def _choose_from(self, observation: Observation) -> None:
        """Takes in the actions of this step, where they are not those of the step before."""
        now = present(self._mission, observation)
        if now.actions != self._now.actions:
            self._now, self._accepted = now, accepted(now)
            offered = "" if now is self._mission else offer(now)
            self._ask = "\n\n".join(filter(None, [offered, self.parts.format.ask(now)]))

    def _again(self, observation: Observation) -> bool:
        """Whether it decides on this observation again. The earlier decision was not executed and is forgotten."""
        again = observation == self._seen
        if not again:
            self._called, self._spoken = 0, []
        return again

    def _did(self, decision: Decision) -> None:
        self._called += len(decision.calls)
        self.parts.history.did(decision.action.strip() or "(empty answer)", self._plan(decision))

    def _beginning(self, observation: Observation) -> list[Message]:
        opening = self.parts.opening
        if self._opening is None or (isinstance(opening, Retrieving) and opening.again):
            demonstrations = self.parts.opening.messages(observation, self._rng) if self.parts.opening else ()
            self._opening = [message("user", instruction(self._mission, self.parts.instructions)), *demonstrations]
        return self._opening

    def _notes(self, observation: Observation) -> list[str]:
        notes = []
        if self.parts.feedback and not observation.valid:
            notes.append(f'Your last answer was not a valid action, so "{observation.executed}" was executed instead.')
        return notes + self._heard()

    def _heard(self) -> list[str]:
        """Takes in the corrections that count for the next decision. Those that the prompt says as notes are given
        back; the others become messages.
        """
        said = [f"{SAYS}{correction}" for correction in self._corrections]
        self._corrections.clear()
        if self.parts.corrections == "paragraph":
            return said
        # They begin with a line end, because providers join them to the observation before them.
        self._spoken += [message("user", f"\n{words}") for words in said]
        return []

    def _plan(self, decision: Decision) -> str:
        """The thought as a later prompt repeats it, ending in the action. Empty for agents that were not asked to
        think, and when thought and action could not be separated: the prompt then repeats the beginning of the reply.
        """
        if not (self.parts.format.thinks and decision.thought and decision.parsed):
            return ""
        return f"{printable(decision.thought[-_LONGEST_PLAN:])}\n{self.parts.format.wrap(decision.action)}"

    def _prompts(self, tail: tuple[Message, ...]) -> Iterator[Prompt]:
        """The prompts that could be sent, the whole one first, then shorter ones; `tail` is what this step added after
        the question. No cut takes a correction that counts.
        """
        history = self.parts.history
        for cut in (None, *cuts(history.pictured())):
            yield Prompt((*(self._opening or ()), *history.messages(self._ask, cut), *self._spoken, *tail), cut)

    async def _call(self, tail: tuple[Message, ...], settings: Settings) -> tuple[Prompt, Reply]:
        """Asks the model, with a history as long as it bears."""
        refused: PromptTooLong | None = None
        while (prompt := self._fitting.choose(self._prompts(tail))) is not None:
            self._in_flight = prompt
            try:
                reply = await self.parts.model.generate(prompt.messages, settings)
            except PromptTooLong as error:
                refused = error
                self._fitting.refuse(prompt)
            else:
                self._in_flight = None
                self._made.append(Call(prompt.messages, reply))
                return prompt, reply
        raise PromptTooLong(f"{refused or 'The prompt is too long for the model.'} {_WAY_OUT}", "too long") from refused

    def _fit_again(self, decision: Decision) -> None:
        """Learns from a recorded step which prompts the model accepted, as `_call` did then."""
        if not self._fitting.tight and not any(note.kind == SHORTENED for note in decision.notes):
            return
        for number, call in enumerate(decision.calls):
            said = len(call.messages) - 2 * number  # each question that was asked again added an answer and a question
            # only the last prompt holds what a perception saw
            tail, place = call.messages[said:], len(self._spoken) + 1
            last = call.messages[said - place : said]
            whole = [Prompt((*p.messages[:-place], *last, *tail), p.cut) for p in self._prompts(())]
            self._fitting.repeat(whole, call.messages)

    # ----------------------------------------------------------------- reply

    async def _decide(self, step: int) -> Decision:
        held = self.parts.format
        return await self._choose(step, held) if isinstance(held, Held) else await self._ask_and_read(step)

    async def _choose(self, step: int, held: Held) -> Decision:
        """Asks for a thought, where the agent thinks, and then for one of the actions."""
        calls: list[Call] = []
        thought, before = "", self._fitting
        tail: tuple[Message, ...] = ()
        if held.thinks:
            prompt, reply = await self._call((), self._settings(step, 0))
            calls.append(Call(prompt.messages, self._counted(reply, prompt.messages)))
            thought = "\n".join(filter(None, (reply.reasoning.strip(), reply.text.strip())))
            said = printable(reply.text.strip()[-_LONGEST_PLAN:]) or "(empty answer)"
            tail = (message("assistant", said), message("user", held.choose(self._now)))
            before = copy.copy(self._fitting)
        choices = tuple(self._now.actions)
        try:
            prompt, reply = await self._call(tail, replace(self._settings(step, len(calls)), choices=choices))
        except PromptTooLong:
            if not calls:
                raise
            self._fitting = before  # no record holds what was tried in vain, so nothing may be learnt from it
            return Decision(
                shorten(calls[0].reply.text),
                parsed=False,
                thought=thought,
                calls=tuple(calls),
                notes=(Note(UNASKED, "The thought left no room to ask the model for the action."),),
            )
        calls.append(Call(prompt.messages, self._counted(reply, prompt.messages)))
        notes = (prompt.cut.note(len(self.parts.history.pictured())),) if prompt.cut else ()
        thought = "\n".join(filter(None, (thought, reply.reasoning.strip())))
        if reply.text in choices:
            return Decision(reply.text, thought=thought, calls=tuple(calls), notes=notes)
        unheld = Note(UNHELD, "The model was asked for one of the actions alone, and answered something else.")
        parsed = self.parts.parser.parse(reply.text, Plain(), self._accepted)
        action = parsed.action if parsed.action is not None else shorten(reply.text)
        return Decision(action, parsed.action is not None, thought, tuple(calls), (*notes, unheld, *parsed.notes))

    async def _ask_and_read(self, step: int) -> Decision:
        calls: list[Call] = []
        thought = ""
        tail: tuple[Message, ...] = ()
        notes: tuple[Note, ...] = ()
        for number in range(self.parts.parser.calls):
            before = copy.copy(self._fitting)
            try:
                prompt, reply = await self._call(tail, self._settings(step, number))
            except PromptTooLong:
                if not calls:
                    raise
                self._fitting = before  # no record holds what was tried in vain, so nothing may be learnt from it
                notes = (
                    *notes,
                    Note(
                        UNASKED,
                        "The answer could not be read, and asking again would have been too long for the model.",
                    ),
                )
                break
            calls.append(Call(prompt.messages, self._counted(reply, prompt.messages)))
            notes = (prompt.cut.note(len(self.parts.history.pictured())),) if prompt.cut else notes
            parsed = self.parts.parser.parse(reply.text, self.parts.format, self._accepted)
            thought = "\n".join(t for t in (reply.reasoning.strip(), parsed.thought) if t) or thought
            notes = (*notes, *parsed.notes)
            if parsed.action is not None:
                return Decision(parsed.action, thought=thought, calls=tuple(calls), notes=notes)
            raw = shorten(reply.text)
            tail = (
                *tail,
                message("assistant", raw.strip() or "(empty answer)"),
                message("user", self._asked_again(parsed.problem)),
            )
        return Decision(raw, parsed=False, thought=thought, calls=tuple(calls), notes=notes)

    def _counted(self, reply: Reply, prompt: tuple[Message, ...]) -> Reply:
        """`reply` with the tokens that its prompt repeated from the one before."""
        share, self._sent = repeated(self._sent, prompt), prompt
        return replace(reply, usage=replace(reply.usage, repeated=round(share * reply.usage.input)))

    def _asked_again(self, problem: str) -> str:
        listing = f" The {'actions' if self._accepted.finite else 'kinds of commands'} are: {self._accepted.listing()}."
        return f"{problem}{listing}\n\n{self._ask}"

    def _settings(self, step: int, number: int) -> Settings:
        settings = self.parts.settings
        if self.parts.seed_calls and settings.seed is None:
            return replace(settings, seed=derive(self._seed, step, self._called + number, bits=31))
        return settings


def compose(kit: Kit, format: Format, opening: Opening | None = None) -> ModelAgent:
    """A `ModelAgent` from a configuration and a reply format. Raises `UsageError` when there is no model."""
    config = kit.config
    if kit.model is None:
        raise UsageError(
            f"The agent {config.policy} asks a model, and none is named. Add --model provider/name, or choose an agent"
            " from `embodied list agents`."
        )
    if config.format == "choice":
        if not chooses(kit.model):
            raise UsageError(f"agent.format=choice: {kit.model.name} cannot be held to a list of actions. {_CHOOSERS}")
        format = Held(format.thinks)
    if opening is None and config.demonstrations.runs:
        raise UsageError(f"agent.demonstrations is for the agent `few_shot`, not for {config.policy!r}.")
    if opening is None and "memory" in kit.parts:
        from embodied.agents.memory.opening import Remembered

        opening = Remembered(kit)
    perception = PERCEPTIONS[config.perception]
    if perception is not None and kit.blobs is None:
        raise UsageError(
            f"agent.perception={config.perception} reads pictures, but got no `blobs` to read them from. Give `blobs`"
            " to `agents.build`."
        )
    return ModelAgent(
        Parts(
            model=kit.model,
            settings=kit.settings,
            history=HISTORIES[config.history.policy](config.history),
            format=format,
            parser=parser(config.parse.policy, config.parse.reader),
            opening=opening,
            perception=perception,
            blobs=kit.blobs,
            instructions=config.instructions,
            feedback=config.feedback,
            corrections=config.corrections,
            seed_calls=config.seed_calls,
        )
    )
