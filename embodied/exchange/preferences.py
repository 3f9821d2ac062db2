"""The format `dpo`: pairs of a better and a worse answer to the same prompt, as JSONL in TRL's conversational
preference format.

A line has `prompt` (messages), `chosen` and `rejected` (one assistant message each), `images` as in `sft`, and
`source`:

- `reask`: an answer that could not be read, and the one given when asked again; the prompt is the first one.
- `episode`: two episodes of the same task and seed, one of which got farther. As long as both were shown the same and
  did the same, nothing tells them apart; the first step at which they did different things gives the pair. The prompt
  is the one of the better episode. A pair is left out if a correction counted, or somebody took over, in that step of
  either episode: what was executed then was not the agent's own.
- `correction`: the answer that was executed after a correction, and the one that was not executed because of it. Only
  where the agent followed; excluded corrections are left out. The prompt is the one before the words. `id`, `text`,
  `said` and `excluded` are those of the format `corrections`, and can be edited and imported as there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

from embodied.blobs import pictures_of
from embodied.errors import UsageError
from embodied.eval.results import progress, read
from embodied.exchange import Export, Exported
from embodied.exchange.chat import Chat, about, good_enough
from embodied.exchange.files import split_note, write_lines
from embodied.exchange.left_out import left_out_note, wrong_note
from embodied.rollout.lessons import Lesson, lessons
from embodied.rollout.turns import ChatTurn, counted_in, shows_pictures, turns
from embodied.store.amendments import changes_of
from embodied.store.run import Run
from embodied.types import Correction, Episode, Json, Observation, Reply, Step, Takeover


class Played(NamedTuple):
    """An episode and where it is."""

    run: Run
    episode: Episode


def write_dpo(export: Export) -> Exported:
    """Writes `dpo.jsonl` and `images/`.

    Raises:
        UsageError: There is no pair.
        StoreError: A file cannot be written.
    """
    mine = [Played(export.run, e) for e in read(export.run).ended.values() if e.spec.id in export.ids]
    others = [Played(run, e) for run in export.against for e in read(run).ended.values()]
    chat = Chat(export.out, any(shows_pictures(p.episode) for p in (*mine, *others)))
    counts: dict[str, int] = defaultdict(int)
    taught: list[Lesson] = []
    helped: list[Step] = []

    def lines() -> Iterator[Json]:
        played = [*mine, *others]
        for line in (
            *_asked_again(mine, export, chat),
            *_better_and_worse(played, export, chat, helped),
            *_corrected(mine, export, chat, taught),
        ):
            counts[line["source"]] += 1
            yield line

    path = write_lines(export.out / "dpo.jsonl", lines())
    if not counts:
        path.unlink()
        raise UsageError(
            "There is no pair of a better and a worse answer: no answer was asked for again (agent.parse.policy=reask),"
            " no correction was followed, and no two episodes of one task and seed differ both in an answer and in"
            " progress. Name more runs of the same suite seed with --against."
            + "".join(f" {note}" for note in _helped_note(helped))
        )
    notes = [f"{n} pairs from {source}" for source, n in counts.items()]
    notes += [
        *_helped_note(helped),
        *left_out_note(taught),
        *_unpaired_note(taught),
        *wrong_note(export.run),
        *split_note(export.run),
    ]
    return Exported([path], notes)


def _asked_again(played: list[Played], export: Export, chat: Chat) -> Iterator[Json]:
    for run, episode in played:
        if good_enough(episode, export):
            for turn in turns(run, episode, []):
                calls = turn.step.decision.calls
                if len(calls) > 1:
                    yield _pair("reask", run, episode, turn, calls[0].reply, chat)


def _corrected(played: list[Played], export: Export, chat: Chat, taught: list[Lesson]) -> Iterator[Json]:
    """A pair for each correction that was followed. `taught` takes what every correction teaches."""
    changes = changes_of(export.run, [])
    for run, episode in played:
        if good_enough(episode, export):
            for lesson in lessons(run, episode, changes, []):
                taught.append(lesson)
                if _pairs(lesson) and lesson.rejected is not None and lesson.of.step is not None:
                    turn = ChatTurn(lesson.of.step, lesson.prompt, lesson.answer)
                    of = lesson.of
                    about_words = {"id": of.id, "text": of.text, "said": of.said, "excluded": of.excluded}
                    yield _pair("correction", run, episode, turn, lesson.rejected, chat) | about_words


def _pairs(lesson: Lesson) -> bool:
    """Whether a lesson has an answer that was not executed, and another one that was, and that the person wanted."""
    spoken = isinstance(lesson.of.event, Correction) and not lesson.left_out and lesson.followed
    before = lesson.superseded
    return spoken and before is not None and before.action != lesson.action and lesson.rejected != lesson.answer


def _unpaired_note(taught: list[Lesson]) -> list[str]:
    unpaired = sum(not lesson.left_out and not _pairs(lesson) for lesson in taught)
    return [f"Corrections that give no pair, mostly because they were not followed: {unpaired}."] if unpaired else []


def _helped_note(helped: list[Step]) -> list[str]:
    if not helped:
        return []
    return [
        f"Pairs of two episodes that are left out, because somebody corrected the agent or took over where they part:"
        f" {len(helped)}."
    ]


def _better_and_worse(played: list[Played], export: Export, chat: Chat, helped: list[Step]) -> Iterator[Json]:
    same: dict[tuple[str, str, int], list[tuple[float, Played]]] = defaultdict(list)
    for p in played:
        if (reached := progress(p.episode)) is not None:
            task = p.episode.spec.task
            same[task.env, task.task, p.episode.spec.seed].append((reached, p))
    for group in same.values():
        for (in_a, a), (in_b, b) in combinations(group, 2):
            better, worse = (a, b) if in_a > in_b else (b, a)
            if in_a != in_b and good_enough(better.episode, export):
                yield from _parting(better, worse, chat, helped)


def _parting(better: Played, worse: Played, chat: Chat, helped: list[Step]) -> Iterator[Json]:
    """The pair at the first step where two episodes, shown the same so far, did different things; nothing where there
    is none. `helped` takes the step of the better one where the pair is left out because somebody helped.
    """
    theirs = {t.step.index: t for t in turns(*worse, [])}
    mine = {t.step.index: t for t in turns(*better, [])}
    for a, b in zip(_steps(better), _steps(worse), strict=False):
        if _shown(a.observation) != _shown(b.observation):
            return
        if a.executed != b.executed:
            if _alone(better, a) and _alone(worse, b):
                if a.index in mine and b.index in theirs:
                    yield _pair("episode", better.run, better.episode, mine[a.index], theirs[b.index].reply, chat)
            else:
                helped.append(a)
            return


def _steps(played: Played) -> Iterator[Step]:
    return played.run.steps(played.episode.spec.id, [])


def _alone(played: Played, step: Step) -> bool:
    """Whether no correction counted in a step, and nobody took over."""
    if any(isinstance(event, Correction | Takeover) for event in step.events):
        return False
    return step.index not in counted_in(list(_steps(played)))


def _shown(observation: Observation) -> tuple[str, ...]:
    return observation.text, observation.status, *(image.digest for image in pictures_of(observation))


def _pair(source: str, run: Run, episode: Episode, turn: ChatTurn, rejected: Reply, chat: Chat) -> Json:
    prompt, images = chat.messages(run, turn.prompt)
    pair = {"prompt": prompt, "chosen": [chat.answer(turn.reply)], "rejected": [chat.answer(rejected)]}
    return {**pair, "images": images, "source": source, **about(episode), "step": turn.step.index}
