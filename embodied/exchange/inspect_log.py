"""The format `inspect`: an `.eval` log that `inspect view` opens.

A sample is an episode: its messages are the instruction, then what the agent was shown and what it answered at each
step; pictures are attached. Its score is the progress, and the success where the environment says so. Prompts as sent
are in the run folder: an Inspect sample has one conversation, and our agents send a new prompt at every step.

A run records when it was made and how long each episode and step took, not when they began: in the log every episode
begins with the run, and the run ends with its longest episode. The durations of episodes are those that were measured.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from embodied.blobs import pictures_of
from embodied.errors import MissingExtra
from embodied.eval.results import progress
from embodied.eval.score import score
from embodied.eval.settings import describe
from embodied.exchange import Export, Exported
from embodied.exchange.files import damaged_note, writing
from embodied.store.run import Run, RunRecord
from embodied.types import Episode, Image, Observation, Step, Usage

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample, EvalSpec
    from inspect_ai.model import ModelUsage


def write_log(export: Export) -> Exported:
    """Writes `<run>.eval`. Raises `MissingExtra` without inspect_ai."""
    try:
        from inspect_ai.log import write_eval_log
    except ModuleNotFoundError as error:
        raise MissingExtra("The format inspect", "inspect") from error
    damaged: list[str] = []
    episodes = [e for id_ in export.ids if (e := export.run.episode(id_)) is not None]
    path = export.out / f"{export.run.root.resolve().name}.eval"
    with writing(path) as target:
        write_eval_log(_log(export.run, episodes, damaged), str(target), format="eval")
    return Exported([path], damaged_note(damaged))


def _log(run: Run, episodes: list[Episode], damaged: list[str]) -> EvalLog:
    from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalMetric, EvalResults, EvalScore, EvalSpec, EvalStats

    about, record = describe(run.record), run.record
    scored = [e for e in episodes if progress(e) is not None]
    total = score(run).total
    metrics = (
        {}
        if total.progress is None
        else {"mean": EvalMetric(name="mean", value=total.progress, metadata={"interval": total.interval})}
    )
    name = record.suite or "-".join(dict.fromkeys(s.task.env for s in record.planned)) or run.root.name
    spec = EvalSpec(
        created=_began(record),
        task=f"embodied/{name}",
        task_id=record.identity[:22],
        run_id=record.identity[:22],
        eval_id=record.identity[:22],
        dataset=EvalDataset(name=name, samples=len(episodes), sample_ids=[_name(e) for e in episodes]),
        model=about.model or f"none/{about.agent}",
        solver=about.agent,
        config=EvalConfig(),
        packages=record.versions,
        metadata=record.config,
    )
    results = EvalResults(
        total_samples=len(record.planned),
        completed_samples=len(scored),
        scores=[
            EvalScore(
                name="progress",
                scorer="progress",
                scored_samples=len(scored),
                unscored_samples=len(episodes) - len(scored),
                metrics=metrics,
            )
        ],
    )
    usage = {spec.model: _usage(total.usage)} if total.usage.input else {}
    samples = [_sample(run, e, spec, damaged) for e in episodes]
    stats = EvalStats(
        started_at=spec.created,
        completed_at=_after(spec.created, max((e.seconds for e in episodes), default=0.0)),
        model_usage=usage,
    )
    return EvalLog(status="success", eval=spec, results=results, stats=stats, samples=samples)


def _began(record: RunRecord) -> str:
    """When the run was made, as inspect wants it: ISO 8601 with a zone; for an imported run often only a day, or
    nothing.
    """
    try:
        began = datetime.fromisoformat(record.created)
    except ValueError:
        began = datetime.fromtimestamp(0, UTC)
    return (began if began.tzinfo else began.replace(tzinfo=UTC)).isoformat(timespec="seconds")


def _after(began: str, seconds: float) -> str:
    """`began` and so many seconds later."""
    return (datetime.fromisoformat(began) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def _name(episode: Episode) -> str:
    task = episode.spec.task
    return f"{task.env} {task.task} {episode.spec.index}".strip()


def _sample(run: Run, episode: Episode, spec: EvalSpec, damaged: list[str]) -> EvalSample:
    from inspect_ai._util.error import EvalError
    from inspect_ai.log import EvalSample, EvalSampleLimit
    from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput
    from inspect_ai.scorer import Score

    model, worked = spec.model, 0.0
    mission = episode.mission.goal if episode.mission else _name(episode)
    messages: list[Any] = [ChatMessageUser(content=mission)]
    for step in run.steps(episode.spec.id, damaged):
        worked += step.agent_seconds + step.env_seconds
        messages.append(ChatMessageUser(content=_content(run, step.observation), metadata={"step": step.index}))
        messages.append(ChatMessageAssistant(content=_answer(step), model=model, metadata=_facts(step)))
    if episode.last is not None:
        messages.append(ChatMessageUser(content=_content(run, episode.last)))
    value = progress(episode)
    scores = {} if value is None else {"progress": Score(value=value, answer=episode.end_reason or episode.outcome)}
    if value is not None and episode.success is not None:
        scores["success"] = Score(value="C" if episode.success else "I")
    return EvalSample(
        id=_name(episode),
        epoch=1,
        input=mission,
        target="",
        messages=messages,
        output=ModelOutput(model=model),
        scores=scores or None,
        metadata={
            "episode": episode.spec.id,
            "seed": episode.spec.seed,
            "outcome": episode.outcome,
            "steps": episode.steps,
            **episode.metrics,
        },
        model_usage={model: _usage(episode.usage)} if episode.usage.input else {},
        started_at=spec.created,
        completed_at=_after(spec.created, episode.seconds),
        total_time=episode.seconds,
        working_time=min(worked, episode.seconds),
        error=EvalError(message=episode.error, traceback="", traceback_ansi="") if episode.error else None,
        limit=EvalSampleLimit(type="custom", limit=episode.steps) if episode.outcome == "limit" else None,
    )


def _content(run: Run, observation: Observation) -> str | list[Any]:
    from inspect_ai.model import ContentImage, ContentText

    text = "\n".join(t for t in (observation.status, observation.text) if t)
    images = pictures_of(observation)
    return [ContentText(text=text), *(ContentImage(image=_data(run, image)) for image in images)] if images else text


def _data(run: Run, image: Image) -> str:
    return f"data:image/png;base64,{base64.b64encode(run.blobs.get(image.digest)).decode()}"


def _answer(step: Step) -> str | list[Any]:
    """The raw reply, behind what the agent thought where the reply does not hold it."""
    from inspect_ai.model import ContentReasoning, ContentText

    reply = step.decision.calls[-1].reply if step.decision.calls else None
    text = reply.text if reply else step.decision.action
    reasoning = reply.reasoning if reply else step.decision.thought
    return [ContentReasoning(reasoning=reasoning), ContentText(text=text)] if reasoning else text


def _facts(step: Step) -> dict[str, Any]:
    return {"executed": step.executed, "valid": step.valid, "reward": step.reward, "progress": step.progress}


def _usage(usage: Usage) -> ModelUsage:
    from inspect_ai.model import ModelUsage

    return ModelUsage(
        input_tokens=usage.input,
        output_tokens=usage.output,
        total_tokens=usage.input + usage.output,
        input_tokens_cache_read=usage.cached,
        reasoning_tokens=usage.reasoning,
    )
