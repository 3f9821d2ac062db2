"""`embodied eval`: the main job."""

from __future__ import annotations

from pathlib import Path

import typer


def evaluate(
    ctx: typer.Context,
    env: list[str] | None = typer.Option(
        None,
        "--env",
        help=(
            "Environment: nethack, patheval, codalm, ... (`embodied list envs`), or gym:ID. Several: separated by"
            " commas, or --env again."
        ),
    ),
    task: str | None = typer.Option(
        None,
        "--task",
        help=(
            "One task, or several separated by commas; all of the environment by default. A part of a name is enough"
            " if it fits one task only. Of several environments, each name reaches those that have it."
        ),
    ),
    suite: str | None = typer.Option(
        None, "--suite", help="A whole suite instead of one environment: `embodied list suites`."
    ),
    agent: str | None = typer.Option(
        None,
        "--agent",
        help="A preset (gpt4o, claude, ...), a policy (naive, cot, random, ...) or an agent's folder (./NAME).",
    ),
    model: str | None = typer.Option(
        None, "--model", help="provider/name, for instance openai/gpt-4o or gguf//path/to/model.gguf."
    ),
    corrector: list[str] = typer.Option(
        [],
        "--corrector",
        help=(
            "Who speaks to the agent while it acts: oracle, script, critic, person (`embodied list correctors`). Nobody"
            " by default."
        ),
    ),
    episodes: int | None = typer.Option(
        None, "--episodes", min=1, help="Episodes per task; the suite's number by default."
    ),
    seed: int = typer.Option(0, "--seed", min=0, help="Suite seed. The same seed gives every agent the same episodes."),
    split: str | None = typer.Option(
        None, "--split", help="Which episodes: test (the default), train to learn from, dev to choose by."
    ),
    steps: int | None = typer.Option(None, "--steps", min=1, help="Step limit; the environment's by default."),
    out: str | None = typer.Option(None, "--out", help="Run folder; the same command continues the run in it."),
    data: str | None = typer.Option(
        None, "--data", help="Folder with the published levels, games or pictures (`embodied show ENV` says which)."
    ),
    shard: str | None = typer.Option(
        None,
        "--shard",
        help="Play one part of several, for job arrays: i/n, from 1/n to n/n; `embodied merge` joins them.",
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object a line instead of tables."),
    log: list[str] = typer.Option(
        [],
        "--log",
        help="Also report to a tracker: wandb, mlflow, tensorboard (`embodied list listeners`); may be repeated.",
    ),
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Print what the run will use (steps, tokens, money, as ranges) and play nothing."
    ),
    image: bool | None = typer.Option(
        None,
        "--image/--text",
        help=(
            "Whether the agent sees pictures besides text; by default where the questions are about pictures and the"
            " model reads them."
        ),
    ),
    trust: bool = typer.Option(
        False,
        "--trust",
        help="Play an agent's folder that another user or machine made: see docs/agents.md, An agent as a folder.",
    ),
    console: bool = typer.Option(
        False, "--console", help="Open the desk: watch in the browser, speak to the agent, act in its place."
    ),
    wait: bool = typer.Option(False, "--wait", help="With --console: each episode waits until a person says go on."),
    port: int = typer.Option(0, "--port", min=0, max=65535, help="Of the desk, on 127.0.0.1; any free one by default."),
    speech_model: Path | None = typer.Option(
        None,
        "--speech-model",
        envvar="EMBODIED_SPEECH_MODEL",
        help="Folder of a Whisper model (faster-whisper) for talking at the desk; the packaged one by default.",
    ),
) -> int:
    """Plays an agent on an environment and scores it.

    Further words set any option of the configuration, for instance `agent.history.text=4 model.temperature=0`;
    `embodied list options` shows them all. The same command continues an interrupted run and skips what is scored.
    """
    from embodied.cli.desk import DeskAt
    from embodied.cli.session import estimate, play
    from embodied.cli.trust import require_trust_in_agent, say
    from embodied.errors import UsageError
    from embodied.listeners import check
    from embodied.request import Request
    from embodied.session import environments, prepare
    from embodied.versions import find

    check(log)
    if console and corrector not in ([], ["desk"]):
        raise UsageError(f"With --console, people at the desk correct: leave out --corrector {corrector[0]}.")
    if not console and (wait or port or "desk" in corrector):
        raise UsageError("--wait, --port and --corrector desk are about the desk: add --console.")
    if agent is None:
        raise UsageError("Name an agent: `--agent random`, or another one of `embodied list agents`.")
    if len(corrector) > 1:
        raise UsageError(f"One corrector speaks in a run, not {' and '.join(corrector)}: play a run with each.")
    if env and env[-1].endswith(",") and ctx.args:
        raise UsageError(f"--env {env[-1]} {ctx.args[0]}: put no blank after the comma.")
    version = find(agent)
    request = Request(
        agent=agent,
        version=version,
        env=environments(env or ()),
        suite=suite,
        task=task,
        model=model,
        data=data,
        image=image,
        episodes=episodes,
        seed=seed,
        split=split,
        steps=steps,
        out=out,
        corrector="desk" if console else corrector[0] if corrector else None,
        words=tuple(ctx.args),
    )
    job = prepare(request, shard, say)
    if version is not None:
        require_trust_in_agent(version, trust)
    if dry_run:
        estimate(job)
        return 0
    return play(job, as_json, log, DeskAt(port, wait, speech_model=speech_model) if console else None)
