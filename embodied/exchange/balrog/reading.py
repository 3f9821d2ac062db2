"""A submission of BALROG's leaderboard as a run of ours, marked as imported.

Every JSON becomes an episode and is kept whole in its `info["balrog"]`; a CSV becomes its steps. What BALROG does not record stays
empty: the first observation, prompts, progress on the way, versions of the simulators. Planned are the episodes of BALROG's suite in the
environments that the submission has, so that missing ones show in its coverage.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from embodied.errors import StoreError
from embodied.eval.suites import suite
from embodied.exchange.balrog.layout import (
    COLUMNS,
    DEFAULT_ACTIONS,
    DIALECT,
    END_STATUS,
    ENVIRONMENTS,
    FIELD_LIMIT,
    NOTICE,
    OURS,
    episode_files,
    step_limit,
)
from embodied.rollout.plan import identity
from embodied.seeding import derive
from embodied.store.run import EpisodeWriter, Run, RunRecord
from embodied.types import Decision, Episode, EpisodeSpec, Json, Observation, Step, TaskSpec, Usage

REQUIRED = {"task": str, "progression": int | float, "num_steps": int}
"""What an episode's JSON must have."""


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

    Raises:
        StoreError: `path` is no submission, one of its files is damaged, or `out` cannot be used.
    """
    summary, metadata = _json(path / "summary.json"), _metadata(path / "metadata.yaml")
    name = str(metadata.get("name") or path.name)
    found = [f for env in ENVIRONMENTS if (path / env).is_dir() for f in _episodes(path, env, name)]
    if not found and "environments" not in summary:
        raise StoreError(f"{path} is no BALROG submission: it has neither episodes (<env>/<task>/<task>_run_00.json) nor a summary.json with environments.")
    first = summary if "agent" in summary or not found else found[0].log  # settings can differ between episodes; the summary's were published
    config = _config(name, first.get("agent") or {}, first.get("client") or {}, metadata, summary)
    specs, notes = _planned(found, name)
    if not found:
        notes.append("The submission published no episodes, only its summary.")
    track = _track(path, config["image"])
    recorded = {**config, "image": config["image"] or track == "VLM", "imported": {**config["imported"], "track": track}}
    record = RunRecord(identity(config), recorded, specs, {}, str(metadata.get("date") or ""), config["suite"])
    run = Run.create(out, record)
    trajectories = sum(_write(run, f) for f in found)
    return Imported(run, len(found), trajectories, tuple(notes))


# --------------------------------------------------------------------------- files


def _json(path: Path) -> Json:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StoreError(f"{path} is damaged: {error}.") from error
    if not isinstance(value, dict):
        raise StoreError(f"{path} is damaged: it is not a JSON object.")
    return value


def _metadata(path: Path) -> Json:
    if not path.is_file():
        return {}
    try:
        value = OmegaConf.to_container(OmegaConf.load(path))
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise StoreError(f"{path} is damaged: {' '.join(str(error).split())}.") from error
    return {str(k): v for k, v in value.items()} if isinstance(value, dict) else {}


def _episodes(root: Path, env: str, name: str) -> Iterator[_Found]:
    for path in episode_files(root / env):
        log = _json(path)
        for key, kind in REQUIRED.items():
            if not isinstance(log.get(key), kind):
                raise StoreError(f"{path} is not an episode of BALROG: {key!r} is missing or of the wrong type.")
        index = int(re.search(r"_run_(\d+)\.json\Z", path.name)[1])
        pictures = (log.get("agent") or {}).get("max_image_history", 0) > 0
        yield _Found(env, path, log, _spec(env, log["task"], index, name, log.get("seed"), pictures))


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
    settings = client.get("generate_kwargs") or {}
    history = {"text": agent.get("max_text_history", agent.get("max_history")), "image": agent.get("max_image_history", 0)}
    return {
        "suite": "balrog",
        "preset": str(agent.get("type", "unknown")),
        "image": history["image"] > 0,
        "agent": {"policy": str(agent.get("type", "unknown")), "history": {**history, "thought": agent.get("max_cot_history")}},
        "model": {"provider": client.get("client_name", ""), "name": client.get("model_id", name), "base_url": client.get("base_url"), **settings},
        "imported": {"format": "balrog", "name": name, "agent": agent, "client": client, "metadata": metadata, "summary": summary},
    }


def _track(path: Path, pictures: bool) -> str:
    """Under which heading of BALROG's leaderboard the submission stands: its folder is in `LLM` or `VLM`, else pictures decide."""
    said = next((part for part in (path.resolve().parent.name, path.name.partition("__")[0]) if part in ("LLM", "VLM")), "")
    return said or ("VLM" if pictures else "LLM")


def _planned(found: list[_Found], name: str) -> tuple[tuple[EpisodeSpec, ...], list[str]]:
    """The suite's episodes in the environments at hand, and those beyond; sentences on what is missing or too much."""
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
        notes.append(f"{len(at_hand)} episodes are beyond BALROG's suite; they count as well.")
    return (*specs, *at_hand.values()), notes


def _write(run: Run, found: _Found) -> bool:
    """Writes one episode, unless it is there already; returns whether it has a trajectory."""
    rows = found.path.with_suffix(".csv")
    if run.episode(found.spec.id) is not None:
        return rows.is_file()
    writer = run.claim(found.spec, again=True)
    if writer is None:
        raise StoreError(f"Another process is writing {run.folder(found.spec.id)}. Wait until it is done.")
    with closing(writer):
        last = _write_steps(writer, rows, found) if rows.is_file() else None
        writer.finish(_episode(found, last))
    return last is not None


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
        return_=float(log.get("episode_return", 0.0)),
        invalid_actions=len(log.get("failed_candidates", ())),
        usage=Usage(int(log.get("input_tokens", 0)), int(log.get("output_tokens", 0))),
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
    """As our environments say it. MiniHack's own word is its `end_reason`: its progression misses wins (see the environment's page)."""
    if env == "minihack":
        return log.get("end_reason") == 2
    if env == "crafter":
        return True if log["progression"] == 1 else None
    return log["progression"] == 1


# --------------------------------------------------------------------------- steps


def _write_steps(writer: EpisodeWriter, path: Path, found: _Found) -> Observation:
    """Writes the rows of a trajectory as steps; returns the observation that ended it."""
    observation = Observation("")
    failed = frozenset(found.log.get("failed_candidates", ()))
    csv.field_size_limit(FIELD_LIMIT)
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file, **DIALECT)
        if set(reader.fieldnames or ()) != set(COLUMNS):
            raise StoreError(f"{path} is not a trajectory of BALROG: its columns are {reader.fieldnames}.")
        last = found.log["num_steps"] - 1
        for index, row in enumerate(reader):
            step, observation = _step(index, row, observation, failed, found, path, last)
            writer.append(step)
    return observation


def _step(index: int, row: dict[str, str], seen: Observation, failed: frozenset[str], found: _Found, path: Path, last: int) -> tuple[Step, Observation]:
    """The step of a row, and the observation after it. The notice that BALROG put before the observation is kept in `info`."""
    try:
        reward, done = float(row["Reward"]), row["Done"] == "True"
    except (TypeError, ValueError) as error:
        raise StoreError(f"{path} is damaged: row {index} has the reward {row['Reward']!r}.") from error
    action, text = row["Action"] or "", row["Observation"] or ""
    said = NOTICE.match(text)
    valid = said is None and action not in failed
    executed = said["executed"] if said else action if valid else DEFAULT_ACTIONS[found.env]
    after = Observation(text[said.end() :] if said else text, step=index + 1, executed=executed, valid=valid, reward=reward)
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
