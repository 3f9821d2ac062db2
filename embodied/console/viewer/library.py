"""Answers the requests of the viewer's page from run folders. Knows nothing of HTTP: the server and the HTML export
both ask it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from embodied.blobs import check_png
from embodied.console.viewer.records import shown_message, shown_step
from embodied.controls import control_of, in_words
from embodied.errors import StoreError
from embodied.eval import floors
from embodied.eval.settings import old_version
from embodied.rollout.branching import first_own
from embodied.store.codec import encode
from embodied.store.events import call_objects
from embodied.store.index import ERROR, EpisodeIndex
from embodied.store.run import SCORED, Run, read_result
from embodied.types import Episode, EpisodeSpec, Json

INDEXES = 16
"""Indexes of episodes kept in memory: about 3 MB for one of 10,000 steps."""


class NotFound(StoreError):
    """There is no such episode, picture or attempt."""


class Library:
    """Recorded episodes of one run or several. Methods may be called from several threads.

    Episodes go by a key: the episode's id; with `@1`, `@2`, ... behind it where a further run has an episode of the
    same id; and with `~1`, `~2`, ... behind it for an earlier attempt at it.

    Args:
        runs: The runs, opened. Their plans are read again by every `runs()`, so a run may be growing.
    """

    def __init__(self, runs: Sequence[Run]):
        self._roots = [run.root for run in runs]
        self._planned: dict[str, tuple[Run, EpisodeSpec]] = {}
        self._indexes: OrderedDict[str, EpisodeIndex] = OrderedDict()
        self._lock = threading.Lock()
        self.runs()

    # ----------------------------------------------------------------- runs and episodes

    def keys(self) -> list[str]:
        """The key of every episode, in the order of the list."""
        return list(self._planned)

    def runs(self) -> Json:
        """The runs with their configuration, and every episode, without results: `{"runs": [...], "episodes": [...]}`.
        Branches stand behind their parents; `depth` is how many parents are above.
        """
        runs = [Run(root) for root in self._roots]
        planned: dict[str, tuple[Run, EpisodeSpec]] = {}
        episodes = []
        for number, run in enumerate(runs):
            keys: dict[str, str] = {}
            for depth, spec in _tree(run):
                key = keys[spec.id] = spec.id if spec.id not in planned else f"{spec.id}@{number}"
                planned[key] = (run, spec)
                episode = {
                    "key": key,
                    "run": number,
                    "env": spec.task.env,
                    "task": spec.task.task,
                    "seed": spec.seed,
                    "number": spec.index,
                }
                if isinstance(spec.parent, str):
                    episode |= {"depth": depth, "parent": keys[spec.parent], "from_step": spec.from_step}
                episodes.append(episode)
        self._planned = planned
        described = [
            {
                "name": f"{_name(run.root)} ({control})" if control else _name(run.root),
                "suite": r.suite,
                "created": r.created,
                "config": r.config,
                "versions": r.versions,
            }
            for run in runs
            for r in [run.record]
            for control in [in_words(control_of(r.config))]
        ]
        return {"runs": described, "episodes": episodes}

    def results(self, start: int, stop: int) -> list[Json]:
        """The results of the episodes `start` to `stop`, in the order of `runs()`; `{"outcome": null}` while
        there is none.
        """
        keys = list(self._planned)[max(start, 0) : stop]
        return [self._result(key) for key in keys]

    def episode(self, key: str) -> Json:
        """One episode: its result, mission, last observation, and the sparse columns of its steps.

        `progress` is a list of [row, value] where the value changes, `shifts` the same of a step's own number less its
        row, `rewards` a list of [row, value] where it is not zero, `flags` one hexadecimal digit a row (see
        `embodied.store.index`).
        """
        run, spec, folder = self._find(key)
        rows = self._index(key).rows
        episode, problem = _read_result(folder, spec)
        index = self._index(key)
        return {
            "key": key,
            "id": spec.id,
            "run": self._roots.index(run.root),
            "task": {"env": spec.task.env, "task": spec.task.task, "kwargs": spec.task.kwargs},
            "seed": spec.seed,
            "number": spec.index,
            "rows": len(rows),
            "shifts": _changes([row.index - number for number, row in enumerate(rows)]),
            "progress": _changes([row.progress for row in rows]),
            "rewards": [[n, row.reward] for n, row in enumerate(rows) if row.reward],
            "flags": "".join(f"{row.flags:x}" for row in rows),
            "end_flags": ERROR if problem or (episode and episode.outcome not in SCORED) else 0,
            "damaged": index.damaged[:100],
            "damaged_count": len(index.damaged),
            "problem": problem,
            "floor": floors.sentence(_floors(run, spec)),
            "attempts": [f"{spec.id}~{n}" for n in range(1, _attempts(run, spec) + 1)],
            "result": None if episode is None else msgspec.to_builtins(episode),
            **self._family(run, spec),
        }

    # ----------------------------------------------------------------- steps

    def rows(self, key: str, start: int, stop: int) -> list[Json]:
        """Rows `start` to `stop` as a list shows them."""
        rows = self._index(key).rows[max(start, 0) : stop]
        return [
            {
                "index": r.index,
                "action": r.action,
                "reward": r.reward,
                "progress": r.progress,
                "events": [[e.kind, e.text] for e in r.events],
            }
            for r in rows
        ]

    def steps(self, key: str, start: int, stop: int) -> bytes:
        """A JSON list of the steps `start` to `stop` as they were recorded; their prompts are ids for `messages`."""
        return b"[" + b",".join(encode(step) for step in self._shown(key, start, stop)) + b"]"

    def messages(self, key: str, ids: Sequence[str]) -> bytes:
        """A JSON object of message by id; a message that cannot be read is missing in it."""
        lines = self._index(key).messages(ids)
        return encode({id_: message for id_, line in lines.items() if (message := shown_message(line)) is not None})

    def image(self, key: str, digest: str) -> bytes:
        """The PNG of an observation or prompt. Raises `StoreError` where it is missing, damaged, or not a picture that
        a browser can show.
        """
        return check_png(self._find(key)[0].blobs.get(digest), digest)

    def search(self, key: str, words: str) -> list[int]:
        """Rows in which `words` occur in observation, thought, replies, actions or events; letter case does not matter.
        The row after the last is the end.
        """
        needle = words.casefold()
        index = self._index(key)
        if not needle:
            return []
        found = []
        for start in range(0, len(index.rows), 500):
            for offset, step in enumerate(self._shown(key, start, start + 500)):
                row = index.rows[start + offset]
                if any(needle in text.casefold() for text in (*searched(step), *(event.text for event in row.events))):
                    found.append(start + offset)
        episode = self._read(key)
        if (
            episode
            and episode.last
            and any(needle in text.casefold() for text in (episode.last.text, episode.last.status, episode.error))
        ):
            found.append(len(index.rows))
        return found

    def difference(self, a: str, b: str) -> Json:
        """The first row in which two episodes differ: `{"row": n, "what": ...}`; `row` is None when they are equal.

        `what` is `observation`, `action`, `reward`, or `length` if one of them continues after the other has ended.
        """
        row = -1
        for row, (one, two) in enumerate(zip(self._compared(a), self._compared(b), strict=False)):
            for what in ("observation", "action", "reward"):
                if one[what] != two[what]:
                    return {"row": row, "what": what}
        lengths = (len(self._index(a).rows), len(self._index(b).rows))
        if lengths[0] != lengths[1]:
            return {"row": row + 1, "what": "length"}
        last = [e.last and _seen(msgspec.to_builtins(e.last)) for e in map(self._read, (a, b)) if e]
        if len(last) == 2 and last[0] != last[1]:
            return {"row": row + 1, "what": "observation"}
        return {"row": None, "what": ""}

    # ----------------------------------------------------------------- inside

    def _find(self, key: str) -> tuple[Run, EpisodeSpec, Path]:
        name, _, attempt = key.partition("~")
        if name not in self._planned or (attempt and not attempt.isascii()) or (attempt and not attempt.isdigit()):
            raise NotFound(f"There is no episode {key!r} here.")
        run, spec = self._planned[name]
        folder = run.folder(spec.id)
        if attempt:
            folder = folder / f"attempt-{int(attempt)}"
            if folder.is_symlink() or not folder.is_dir():
                raise NotFound(f"The episode {name} has no attempt {attempt}.")
        return run, spec, folder

    def _family(self, run: Run, spec: EpisodeSpec) -> Json:
        """The parent and the branches of an episode, by their keys."""
        keys = {other.id: key for key, (whose, other) in self._planned.items() if whose is run}
        told: Json = {
            "branches": [
                {"key": keys[b.spec.id], "from_step": b.spec.from_step, "by": b.by, "rewinds": b.rewinds}
                for b in run.record.branched
                if b.spec.parent == spec.id and b.spec.id in keys
            ]
        }
        if isinstance(spec.parent, str):
            told |= {"parent": keys[spec.parent], "from_step": spec.from_step}
        return told

    def _index(self, key: str) -> EpisodeIndex:
        folder = self._find(key)[2]
        with self._lock:
            index = self._indexes.pop(key, None)
            if index is None:
                index = EpisodeIndex(folder)
            else:
                index.refresh()
            self._indexes[key] = index
            while len(self._indexes) > INDEXES:
                self._indexes.popitem(last=False)
        return index

    def _result(self, key: str) -> Json:
        _, spec, folder = self._find(key)
        episode, problem = _read_result(folder, spec)
        if episode is None:
            return {"key": key, "outcome": "damaged" if problem else None, "started": (folder / "steps.jsonl").exists()}
        fields = ("outcome", "progress", "success", "steps", "invalid_actions", "error", "end_reason", "seconds")
        return {"key": key, "return": episode.return_, **{f: getattr(episode, f) for f in fields}}

    def _compared(self, key: str) -> Iterator[Json]:
        index = self._index(key)
        for start in range(0, len(index.rows), 200):
            for step in self._shown(key, start, start + 200):
                yield {
                    "observation": _seen(step["observation"]),
                    "action": step["executed"],
                    "reward": step.get("reward"),
                }

    def _shown(self, key: str, start: int, stop: int) -> Iterator[Json]:
        """The steps of rows `start` to `stop` as plain values."""
        index = self._index(key)
        rows = index.rows[max(start, 0) : stop]
        for row, line in zip(rows, index.lines(start, stop), strict=False):
            yield shown_step(line, row.index)

    def _read(self, key: str) -> Episode | None:
        _, spec, folder = self._find(key)
        return _read_result(folder, spec)[0]


def searched(step: Json) -> Iterator[str]:
    """The texts of a recorded step that a search looks at. Prompts are left out: they repeat the observations of
    earlier steps.
    """
    observation, decision = step["observation"], step["decision"]
    superseded = [event["superseded"] for event in step.get("events", ()) if event.get("superseded")]
    texts = [
        observation.get("text"),
        observation.get("status"),
        observation.get("expert"),
        step["executed"],
        decision["action"],
        decision.get("thought"),
        *(before.get("thought") for before in superseded),
    ]
    for call in call_objects(step):
        texts += [call["reply"].get("text"), call["reply"].get("reasoning")]
    yield from (text for text in texts if isinstance(text, str))


def _seen(observation: Json) -> tuple[Any, ...]:
    return observation.get("text"), observation.get("status"), *(image.get("digest") for image in shown(observation))


def shown(observation: Json) -> list[Json]:
    """The pictures of a recorded observation."""
    return [image for image in (observation.get("image"), *observation.get("more_images", ())) if image]


def _changes(values: Sequence[Any]) -> list[list[Any]]:
    """[place, value] wherever the value is another one than before."""
    return [[n, value] for n, value in enumerate(values) if n == 0 or value != values[n - 1]]


def _read_result(folder: Path, spec: EpisodeSpec) -> tuple[Episode | None, str]:
    """The result in a folder, or None and, where there is one that cannot be read, what is wrong with it."""
    try:
        return read_result(folder, spec), ""
    except StoreError as error:
        return None, str(error).replace(f"{folder}/", "")


def _tree(run: Run) -> Iterator[tuple[int, EpisodeSpec]]:
    """Every episode of a run, each followed by its branches, with the number of parents above it."""
    below: dict[str, list[EpisodeSpec]] = {}
    for branch in run.record.branched:
        below.setdefault(str(branch.spec.parent), []).append(branch.spec)
    waiting = [(0, spec) for spec in reversed(run.record.planned)]
    while waiting:
        depth, spec = waiting.pop()
        yield depth, spec
        own = sorted(below.get(spec.id, ()), key=lambda branch: first_own(branch))
        waiting += [(depth + 1, branch) for branch in reversed(own)]


def _floors(run: Run, spec: EpisodeSpec) -> tuple[floors.Floor, ...]:
    old = old_version(run.record, spec.task.env)
    return () if old else floors.known(spec.task.env, spec.task.task, spec.task.kwargs)


def _attempts(run: Run, spec: EpisodeSpec) -> int:
    folder, n = run.folder(spec.id), 0
    while (attempt := folder / f"attempt-{n + 1}").is_dir() and not attempt.is_symlink():
        n += 1
    return n


def _name(root: Path) -> str:
    return root.resolve().name
