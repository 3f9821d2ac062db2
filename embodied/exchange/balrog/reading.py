"""A submission of BALROG's leaderboard as a run of ours, marked as imported.

Every JSON becomes an episode and is kept whole in its `info["balrog"]`; a CSV becomes its steps. What BALROG does not
record stays
empty: the first observation, prompts, progress on the way, versions of the simulators. Planned are the episodes of
BALROG's suite in the environments that the submission has, so that missing ones show in its coverage.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError
from yaml.events import AliasEvent

from embodied.errors import StoreError
from embodied.eval.suites import suite
from embodied.exchange.balrog.layout import (
    COLUMNS,
    DEFAULT_ACTIONS,
    END_STATUS,
    ENVIRONMENTS,
    ESCAPE,
    FIELD_LIMIT,
    NOTICE,
    OURS,
    episode_files,
    step_limit,
)
from embodied.rollout.plan import identity
from embodied.seeding import derive
from embodied.store.checks import LONGEST_RESULT, MOST_COUNTED, check_json, is_task, open_plain, plain_size, read_plain
from embodied.store.codec import without_surrogates
from embodied.store.run import Run, RunRecord
from embodied.types import Decision, Episode, EpisodeSpec, Json, Observation, Step, TaskSpec, Usage

REQUIRED = {"task": str, "progression": int | float, "num_steps": int}
"""What an episode's JSON must have."""
OPTIONAL = {
    "agent": dict,
    "client": dict,
    "achievements": dict,
    "failed_candidates": list,
    "input_tokens": int | float,
    "output_tokens": int | float,
    "episode_return": int | float,
    "seed": int,
}
"""What else is read of it."""
LONGEST_METADATA = 65_536
"""Bytes of `metadata.yaml`."""


@dataclass(frozen=True)
class Imported:
    """What came of an import."""

    run: Run
    episodes: int
    trajectories: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Found:
    """One episode's files."""

    env: str
    """BALROG's name."""
    path: Path
    log: Json
    spec: EpisodeSpec


def read_submission(path: Path, out: Path) -> Imported:
    """Writes the run `out` from the submission in the folder `path`. Doing it again continues.

    A damaged file is left out and named in the notes. While the import is under way the run cannot be read: an
    interrupted one never counts as a whole one.

    Raises:
        StoreError: `path` is not a submission, or `out` cannot be used.
    """
    notes: list[str] = []
    summary = _tolerated(_json, path / "summary.json", notes)
    metadata = _tolerated(_metadata, path / "metadata.yaml", notes)
    name = str(metadata.get("name") or path.name)
    found = [f for env in ENVIRONMENTS if (path / env).is_dir() for f in _episodes(path, env, name, notes)]
    if not found and not isinstance(summary.get("environments"), dict):
        about = f" {notes[0]}" if notes else ""
        raise StoreError(
            f"{path} is not a BALROG submission: it has neither episodes (<env>/<task>/<task>_run_00.json) nor a"
            f" summary.json with environments.{about}"
        )
    # settings can differ between episodes; the summary's were published
    first = summary if "agent" in summary or not found else found[0].log
    config = _config(name, _object(first, "agent"), _object(first, "client"), metadata, summary)
    specs, missing = _planned(found, name)
    notes += missing
    if not found:
        notes.append("The submission published no episodes, only its summary.")
    track = _track(path, config["image"])
    recorded = {
        **config,
        "image": config["image"] or track == "VLM",
        "imported": {**config["imported"], "track": track},
    }
    record = RunRecord(identity(config), recorded, specs, {}, str(metadata.get("date") or ""), config["suite"])
    with Run.made_whole(out, record) as run:
        trajectories = sum(_write(run, f, notes) for f in found)
    return Imported(Run(out), len(found), trajectories, tuple(notes))


# --------------------------------------------------------------------------- files


def _tolerated(read: Callable[[Path], Json], path: Path, notes: list[str]) -> Json:
    """What `read` finds; nothing, and a note, where the file is damaged."""
    try:
        return read(path)
    except StoreError as error:
        notes.append(f"Left out: {error}")
        return {}


def _object(value: Json, key: str) -> Json:
    """The object of that name; an empty one where there is none."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _json(path: Path) -> Json:
    data = read_plain(path, LONGEST_RESULT)
    if data is None:
        return {}
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is damaged: {error}.") from error
    if not isinstance(value, dict):
        raise StoreError(f"{path} is damaged: it is not a JSON object.")
    value = without_surrogates(value) if b"\\u" in data else value
    check_json(value, str(path))
    return value


def _metadata(path: Path) -> Json:
    data = read_plain(path, LONGEST_METADATA)
    if data is None:
        return {}
    try:
        text = data.decode("utf-8")
        if any(isinstance(event, AliasEvent) for event in yaml.parse(text)):  # a few lines of them stand for gigabytes
            raise StoreError(f"{path} is damaged: it has aliases, which no submission needs.")
        value = OmegaConf.to_container(OmegaConf.create(text))
    except (YAMLError, OmegaConfBaseException, ValueError, RecursionError) as error:
        raise StoreError(f"{path} is damaged: {' '.join(str(error).split())[:300]}.") from error
    found = {str(k): v for k, v in value.items()} if isinstance(value, dict) else {}
    check_json(found, str(path))
    return found


def _episodes(root: Path, env: str, name: str, notes: list[str]) -> Iterator[_Found]:
    seen: set[str] = set()
    for path in episode_files(root / env):
        try:
            found = _found(path, env, name)
            if found.spec.id in seen:
                raise StoreError(f"{path} holds an episode that another file holds too.")
        except StoreError as error:
            notes.append(f"Left out: {error}")
            continue
        seen.add(found.spec.id)
        yield found


def _found(path: Path, env: str, name: str) -> _Found:
    """One episode's files, its JSON checked: what is read of it further on has the right type."""
    log = _json(path)
    for key, kind in REQUIRED.items():
        if not isinstance(log.get(key), kind) or isinstance(log[key], bool):
            raise StoreError(f"{path} is not an episode of BALROG: {key!r} is missing or of the wrong type.")
    for key, kinds in OPTIONAL.items():
        if log.get(key) is not None and not isinstance(log[key], kinds):
            raise StoreError(f"{path} is damaged: {key!r} is of the wrong type.")
    if not 0 <= log["progression"] <= 1 or not 0 <= log["num_steps"] <= MOST_COUNTED:
        raise StoreError(f"{path} is damaged: it says progression {log['progression']} in {log['num_steps']} steps.")
    if not log["task"] or not is_task(log["task"]):
        raise StoreError(f"{path} is damaged: {log['task'][:80]!r} is not the name of a task.")
    if not all(isinstance(said, str) for said in log.get("failed_candidates") or ()):
        raise StoreError(f"{path} is damaged: 'failed_candidates' must hold texts only.")
    index = int(path.stem.rpartition("_run_")[2])
    history = _object(log, "agent").get("max_image_history") or 0
    return _Found(
        env, path, log, _spec(env, log["task"], index, name, log.get("seed"), isinstance(history, int) and history > 0)
    )


def _spec(env: str, task: str, index: int, name: str, seed: int | None, pictures: bool) -> EpisodeSpec:
    ours = OURS.get(env, env)
    options: Json = {"rules": "balrog", "image": True} if pictures and ours != "textworld" else {"rules": "balrog"}
    if seed is None:  # a number of its own: two submissions without seeds share none
        seed = derive(0, "balrog", name, env, task, index, bits=31)
    digest = hashlib.sha256(f"{name} {env} {task} {index}".encode()).hexdigest()
    safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in f"{ours}-{task}").strip("-")
    return EpisodeSpec(f"{safe}-{index:03d}-{digest[:8]}", TaskSpec(ours, task, options), seed, index, 0)


# --------------------------------------------------------------------------- the run


def _config(name: str, agent: Json, client: Json, metadata: Json, summary: Json) -> Json:
    """The submission's settings in our words, and all of them in its own."""
    settings = _object(client, "generate_kwargs")
    images = agent.get("max_image_history", 0)
    images = images if isinstance(images, int) else 0
    history = {"text": agent.get("max_text_history", agent.get("max_history")), "image": images}
    return {
        "suite": "balrog",
        "preset": str(agent.get("type", "unknown")),
        "image": images > 0,
        "agent": {
            "policy": str(agent.get("type", "unknown")),
            "history": {**history, "thought": agent.get("max_cot_history")},
        },
        "model": {
            "provider": client.get("client_name", ""),
            "name": client.get("model_id", name),
            "base_url": client.get("base_url"),
            **settings,
        },
        "imported": {
            "format": "balrog",
            "name": name,
            "agent": agent,
            "client": client,
            "metadata": metadata,
            "summary": summary,
        },
    }


def _track(path: Path, pictures: bool) -> str:
    """Under which heading of BALROG's leaderboard the submission stands: its folder is in `LLM` or `VLM`, else pictures
    decide.
    """
    said = next(
        (part for part in (path.resolve().parent.name, path.name.partition("__")[0]) if part in ("LLM", "VLM")), ""
    )
    return said or ("VLM" if pictures else "LLM")


def _planned(found: list[_Found], name: str) -> tuple[tuple[EpisodeSpec, ...], list[str]]:
    """The suite's episodes in the environments at hand, and those beyond; sentences on missing and additional
    episodes.
    """
    at_hand = {(f.spec.task.env, f.spec.task.task, f.spec.index): f.spec for f in found}
    environments = {f.spec.task.env for f in found}
    options = found[0].spec.task.kwargs if found else {}
    missing = 0
    specs: list[EpisodeSpec] = []
    for env, task, episodes in suite("balrog").tasks:
        if env in environments:
            for index in range(episodes):
                spec = at_hand.pop((env, task, index), None)
                missing += spec is None
                theirs = {ours: b for b, ours in OURS.items()}.get(env, env)
                specs.append(spec or _spec(theirs, task, index, name, None, bool(options.get("image"))))
    notes = [f"{missing} episodes of BALROG's suite are missing."] if missing else []
    if at_hand:
        notes.append(f"{len(at_hand)} episodes are not part of BALROG's suite; they count as well.")
    return (*specs, *at_hand.values()), notes


def _write(run: Run, found: _Found, notes: list[str]) -> bool:
    """Writes one episode, unless it is there already; returns whether it has a trajectory. A damaged one is left out
    and named.
    """
    rows, id_ = found.path.with_suffix(".csv"), found.spec.id
    try:
        steps = _steps(rows, found)
    except StoreError as error:
        notes.append(f"Left out: {error}")
        steps = None
    if run.scored(id_) and bool(plain_size(run.folder(id_) / "steps.jsonl")) == bool(steps and steps[0]):
        return steps is not None
    writer = run.claim(found.spec, again=True, scored_too=True)
    if writer is None:
        raise StoreError(f"Another process is writing {run.folder(id_)}. Wait until it is done.")
    with closing(writer):
        for step in steps[0] if steps else ():
            writer.append(step)
        writer.finish(_episode(found, steps[1] if steps else None))
    return steps is not None


def _episode(found: _Found, last: Observation | None) -> Episode:
    log = found.log
    won, limit = log["progression"] == 1, log["num_steps"] >= step_limit(found.env, log["task"])
    reason = log.get("end_reason")
    return Episode(
        spec=found.spec,
        outcome="limit" if not log.get("done") or (limit and not won) else "finished",
        steps=log["num_steps"],
        progress=float(log["progression"]),
        success=_success(found.env, log),
        return_=float(log.get("episode_return") or 0.0),
        invalid_actions=len(log.get("failed_candidates") or ()),
        usage=Usage(int(log.get("input_tokens") or 0), int(log.get("output_tokens") or 0)),
        seconds=0.0,
        metrics={k: float(v) for k, v in {**log, **(log.get("achievements") or {})}.items() if _is_metric(k, v)},
        end_reason=END_STATUS.get(reason, str(reason)) if isinstance(reason, int) else str(reason or ""),
        last=last,
        info={"balrog": log},
    )


_NOT_METRICS = ("input_tokens", "output_tokens", "episode_return", "num_steps", "progression", "seed", "end_reason")


def _is_metric(key: str, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and key not in _NOT_METRICS


def _success(env: str, log: Json) -> bool | None:
    """As our environments say it. MiniHack's own word is its `end_reason`: its progression misses wins (see the
    environment's page).
    """
    if env == "minihack":
        return bool(log.get("end_reason") == 2)
    return bool(log["progression"] == 1)


# --------------------------------------------------------------------------- steps


def _steps(path: Path, found: _Found) -> tuple[list[Step], Observation] | None:
    """The rows of a trajectory as steps, and the observation that ended it; None where none was published. Raises
    `StoreError` when it is damaged.
    """
    file = open_plain(path)
    if file is None:
        return None
    observation = Observation("")
    failed = frozenset(found.log.get("failed_candidates") or ())
    csv.field_size_limit(FIELD_LIMIT)
    steps = []
    try:
        with io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
            reader = csv.DictReader(text, escapechar=ESCAPE)
            if set(reader.fieldnames or ()) != set(COLUMNS):
                raise StoreError(
                    f"{path} is not a trajectory of BALROG: its columns are {str(reader.fieldnames)[:200]}."
                )
            last = found.log["num_steps"] - 1
            for index, row in enumerate(reader):
                step, observation = _step(index, row, observation, failed, found, path, last)
                steps.append(step)
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise StoreError(f"{path} is damaged: {error}.") from error
    return steps, observation


def _step(
    index: int, row: dict[str, str], seen: Observation, failed: frozenset[str], found: _Found, path: Path, last: int
) -> tuple[Step, Observation]:
    """The step of a row, and the observation after it. The notice that BALROG put before the observation is kept in
    `info`.
    """
    try:
        reward, done = float(row["Reward"]), row["Done"] == "True"
    except (TypeError, ValueError) as error:
        raise StoreError(f"{path} is damaged: row {index} has the reward {str(row['Reward'])[:80]!r}.") from error
    action, text = row["Action"] or "", row["Observation"] or ""
    said = NOTICE.match(text)
    valid = said is None and action not in failed
    executed = said["executed"] if said else action if valid else DEFAULT_ACTIONS[found.env]
    after = Observation(
        text[said.end() :] if said else text, step=index + 1, executed=executed, valid=valid, reward=reward
    )
    step = Step(
        index=index,
        observation=seen,
        decision=Decision(action, parsed=valid, thought=row["Reasoning"] or ""),
        executed=executed,
        valid=valid,
        reward=reward,
        terminated=done,
        truncated=False,
        progress=float(found.log["progression"]) if index == last else 0.0,
        info={"notice": said[0]} if said else {},
        next_hash="",
        agent_seconds=0.0,
        env_seconds=0.0,
    )
    return step, after
