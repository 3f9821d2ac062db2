"""A run in the layout that BALROG's leaderboard accepts. An imported run is written as it was read."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from omegaconf import OmegaConf

from embodied.controls import control_of, in_words
from embodied.errors import UsageError
from embodied.eval import balrog
from embodied.eval.results import progress, read
from embodied.eval.settings import describe
from embodied.eval.suites import suite
from embodied.exchange import Export, Exported
from embodied.exchange.balrog.layout import COLUMNS, ESCAPE, episode_path, notice
from embodied.exchange.files import writing
from embodied.splits import split_of
from embodied.types import Episode, Json, Observation, Step

CLIENTS = {"google": "gemini", "anthropic": "claude", "compatible": "vllm"}
"""Our name of a provider -> BALROG's client, where they differ."""
_END = {"aborted": -1, "death": 1, "success": 2}


def write(export: Export) -> Exported:
    """Writes episodes, the summaries computed over them, and `metadata.yaml`. Episodes without a score are left out:
    BALROG has no form for them.

    Raises:
        StoreError: A file cannot be written, or a recorded step is damaged.
    """
    results = read(export.run)
    ended = {id_: e for id_, e in results.ended.items() if id_ in export.ids and progress(e) is not None}
    wanted = [e for id_ in export.ids if (e := results.ended.get(id_)) is not None and id_ not in ended]
    kept = type(results)(results.path, results.record, ended)
    written = Exported(notes=[f"Episodes left out because they have no score: {len(wanted)}."] if wanted else [])
    strangers = sorted({e.spec.task.env for e in ended.values()} - {env for env, *_ in suite("balrog").tasks})
    if strangers:
        raise UsageError(
            f"BALROG has no {', '.join(strangers)}: its leaderboard cannot show these results. Other formats:"
            " `embodied export --help`."
        )
    if (split := split_of(results.record.config)) != "test":
        raise UsageError(
            f"This is a run of the {split} split, and BALROG's leaderboard takes episodes of the test split: play them"
            " without --split."
        )
    if control := control_of(results.record.config):
        raise UsageError(
            f"This run was played under the control {in_words(control)}: its score is not the agent's own, and BALROG's"
            " leaderboard cannot show it."
        )
    if any(e.spec.task.kwargs.get("rules") != "balrog" or "max_steps" in e.spec.task.kwargs for e in ended.values()):
        written.notes.append(
            "Not all of it was played by BALROG's rules (env.rules=balrog, no --steps): its leaderboard would compare"
            " unlike things."
        )
    agent, client = _settings(results.record.config)
    for episode in ended.values():
        written.paths += _write_episode(export, episode, agent, client)
    for env in dict.fromkeys(e.spec.task.env for e in ended.values()):
        name = balrog.NAMES.get(env, env)
        written.paths.append(_dump(export.out / name / f"{name}_summary.json", balrog.environment_summary(kept, env)))
    published = results.record.config.get("imported", {}).get("summary", {})
    summary = dict(published) if published and not ended else {**balrog.summary(kept), "client": client, "agent": agent}
    written.paths.append(_dump(export.out / "summary.json", summary))
    written.paths.append(_metadata(export))
    return written


def _write_episode(export: Export, episode: Episode, agent: Json, client: Json) -> list[Path]:
    task = episode.spec.task
    env = balrog.NAMES.get(task.env, task.env)
    path = episode_path(export.out, env, task.task, episode.spec.index)
    steps = list(export.run.steps(episode.spec.id))
    log = episode.info.get("balrog") or {**_log(env, episode, steps), "agent": agent, "client": client}
    paths = [_dump(path.with_name(path.name + ".json"), log)]
    if steps:
        paths.append(path.with_name(path.name + ".csv"))
        with writing(paths[-1]) as target, target.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, escapechar=ESCAPE)
            writer.writerow(COLUMNS)
            writer.writerows(_rows(steps, episode.last or Observation("")))
    return paths


def _rows(steps: list[Step], last: Observation) -> Iterable[tuple[object, ...]]:
    for step, after in zip(steps, [*(s.observation for s in steps[1:]), last], strict=True):
        said = step.info.get("notice") or ("" if step.valid else notice(step.executed))
        yield (
            step.index,
            step.decision.action,
            step.decision.thought,
            said + after.text,
            step.reward,
            step.terminated or step.truncated,
        )


def _log(env: str, episode: Episode, steps: list[Step]) -> Json:
    """An episode's JSON, without agent and client."""
    return {
        "task": episode.spec.task.task,
        "action_frequency": dict(Counter(s.executed for s in steps)),
        "input_tokens": episode.usage.input,
        "output_tokens": episode.usage.output,
        "done": True,
        "episode_return": episode.return_,
        "num_steps": episode.steps,
        "failed_candidates": [s.decision.action for s in steps if not s.valid],
        **_statistics(env, episode),
        "process_num": None,
        "seed": episode.spec.seed,
    }


def _statistics(env: str, episode: Episode) -> Json:
    """What BALROG's environment of that name adds."""
    metrics = {k: int(v) if float(v).is_integer() else v for k, v in episode.metrics.items()}
    if env == "babyai":
        return {"mission": episode.mission.goal if episode.mission else "", "progression": episode.progress}
    if env == "babaisai":
        return {"target_plan": episode.info.get("plan", ""), "progression": episode.progress}
    if env == "crafter":
        return {
            "score": float(sum(v > 0 for v in metrics.values())),
            "progression": episode.progress,
            "achievements": metrics,
        }
    if env == "minihack":
        reason = next((code for word, code in _END.items() if episode.end_reason.startswith(word)), -1)
        return {"progression": episode.progress, "end_reason": reason}
    if env == "nle":
        return {
            **{name: metrics.get(name, 0) for name in ("score", "depth", "gold", "experience_level", "time")},
            "dlvl_list": [f"Dlvl:{n}" for n in range(1, int(metrics.get("max_depth", 1)) + 1)],
            "xplvl_list": [f"Xp:{n}" for n in range(1, int(metrics.get("max_experience_level", 1)) + 1)],
            "highest_achievement": episode.info.get("highest_achievement"),
            "progression": episode.progress,
            "end_reason": episode.end_reason,
        }
    return {"progression": episode.progress}


def _settings(config: Json) -> tuple[Json, Json]:
    """Agent and client as BALROG records them; those of an imported run as they were."""
    if imported := config.get("imported"):
        return imported["agent"], imported["client"]
    agent, model = config.get("agent") or {}, config.get("model") or {}
    history = agent.get("history") or {}
    described = {
        "type": agent.get("policy", ""),
        "max_text_history": history.get("text"),
        "max_image_history": history.get("image", 0),
        "max_cot_history": history.get("thought"),
    }
    provider = model.get("provider", "")
    client = {
        "client_name": CLIENTS.get(provider, provider),
        "model_id": model.get("name", ""),
        "base_url": model.get("base_url"),
        "generate_kwargs": {k: model[k] for k in ("temperature", "top_p", "max_tokens") if model.get(k) is not None},
        "timeout": model.get("timeout"),
        "max_retries": model.get("attempts"),
    }
    return described, client


def _metadata(export: Export) -> Path:
    """`metadata.yaml`: who submitted; the submitter fills in what a run does not know."""
    record = export.run.record
    known = record.config.get("imported", {}).get("metadata")
    about = describe(record)
    fresh = {"name": about.name, "oss": False, "site": None, "verified": False}
    fresh |= {"date": record.created[:10], "trajs": True, "org_logo": None}
    path = export.out / "metadata.yaml"
    with writing(path) as target:
        OmegaConf.save(OmegaConf.create(known or fresh), target)
    return path


def _dump(path: Path, value: Json) -> Path:
    with writing(path) as target:
        target.write_text(json.dumps(value, indent=4), encoding="utf-8")
    return path
