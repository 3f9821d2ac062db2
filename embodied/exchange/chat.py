"""The format `sft`: prompts and answers of agents, as chat JSONL that transformers and TRL read directly.

A line is a step: `messages` (the prompt as sent, then the answer), `images` (paths of PNG files beside the JSONL, in
the order in which the messages have them), and `episode`, `step`, `env`, `task`, `progress` (of the whole episode),
`success`. Where a correction counted or somebody acted in the step, the line also has `corrections`: the texts that
counted, in order. Where any episode has pictures, the content of every message is a list of parts (`{"type": "text",
...}`, `{"type": "image", "path": ...}`), else it is a string.

Left out are steps whose answer could not be read or was not an action, and, of agents with a model, steps in which the
model was not asked. An answer that was asked for again stands behind
the first prompt: there the model should have given it. Episodes of agents without a model (experts, persons) are told
as the agent `naive` would be asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from embodied.errors import UsageError
from embodied.eval.results import progress
from embodied.exchange import Export, Exported
from embodied.exchange.files import damaged_note, split_note, write_lines, writing
from embodied.rollout.turns import shows_pictures, turns
from embodied.store.run import Run
from embodied.terminal import shell_word
from embodied.types import Episode, Image, Json, Message, Reply, Text


def write_sft(export: Export) -> Exported:
    """Writes `sft.jsonl` and `images/`.

    Raises:
        UsageError: No episode is good enough.
        StoreError: A file cannot be written.
    """
    chosen, written = good(export)
    chat = Chat(export.out, any(shows_pictures(e) for e in chosen))
    left_out: Counter[str] = Counter()
    damaged: list[str] = []
    corrected = 0

    def lines() -> Iterator[Json]:
        nonlocal corrected
        for episode in chosen:
            for turn in turns(export.run, episode, damaged, left_out):
                corrected += turn.tells_words
                messages, images = chat.messages(export.run, turn.prompt)
                yield {
                    "messages": [*messages, chat.answer(turn.reply)],
                    "images": images,
                    **about(episode),
                    "step": turn.step.index,
                    **({"corrections": turn.counted} if turn.counted or turn.step.events else {}),
                }

    written.paths.append(write_lines(export.out / "sft.jsonl", lines()))
    if left_out:
        reasons = ", ".join(f"{n} {why}" for why, n in left_out.items())
        written.notes.append(f"{left_out.total()} steps are left out: {reasons}.")
    if corrected:
        written.notes.append(
            f"{corrected} lines contain a correction in their prompt. `--format corrections` writes the prompts without"
            " it."
        )
    written.notes += [*damaged_note(damaged), *split_note(export.run)]
    return written


def good(export: Export) -> tuple[list[Episode], Exported]:
    """The scored episodes that are good enough, and a note on the others. Raises `UsageError` when there is none."""
    episodes = [e for id_ in export.ids if (e := export.run.episode(id_)) is not None]
    kept = [e for e in episodes if good_enough(e, export)]
    if not kept:
        asked = f"a progress of {export.min_progress:g}" + (" and success" if export.success else "")
        raise UsageError(
            f"No episode of {export.run.root} is scored with {asked} or more. `embodied score"
            f" {shell_word(export.run.root)}"
            " --episodes` lists them."
        )
    notes = (
        [f"Episodes left out, not scored or not good enough: {len(episodes) - len(kept)}."]
        if len(kept) < len(episodes)
        else []
    )
    return kept, Exported(notes=notes)


def good_enough(episode: Episode, export: Export) -> bool:
    value = progress(episode)
    return value is not None and value >= export.min_progress and (episode.success is True or not export.success)


def about(episode: Episode) -> Json:
    """What a line says of its episode."""
    task = episode.spec.task
    return {
        "episode": episode.spec.id,
        "env": task.env,
        "task": task.task,
        "progress": episode.progress,
        "success": episode.success,
    }


# --------------------------------------------------------------------------- files


@dataclass
class Chat:
    """Writes messages as plain JSON and their pictures as files."""

    folder: Path
    pictures: bool
    """Whether contents are lists of parts."""

    def messages(self, run: Run, messages: Iterable[Message]) -> tuple[list[Json], list[str]]:
        """The messages, and the paths of their pictures from the folder."""
        plain, images = [], []
        for message in messages:
            parts: list[Json] = []
            for part in message.parts:
                if isinstance(part, Image):
                    images.append(self._file(run, part))
                    parts.append({"type": "image", "path": images[-1]})
                else:
                    parts.append({"type": "text", "text": part.text})
            plain.append({"role": message.role, "content": parts if self.pictures else _text(message)})
        return plain, images

    def answer(self, reply: Reply) -> Json:
        """A reply as the message to learn; what a reasoning model thought stands in `reasoning_content`."""
        content = [{"type": "text", "text": reply.text}] if self.pictures else reply.text
        return {
            "role": "assistant",
            "content": content,
            **({"reasoning_content": reply.reasoning} if reply.reasoning else {}),
        }

    def _file(self, run: Run, image: Image) -> str:
        name = f"images/{image.digest[:24]}.png"
        path = self.folder / name
        if not path.exists():
            with writing(path) as target:
                target.write_bytes(run.blobs.get(image.digest))
        return name


def _text(message: Message) -> str:
    return "\n".join(part.text for part in message.parts if isinstance(part, Text))
