"""`embodied ablate`: controls beside the score of an agent that sees, or help beside the score of any agent."""

from __future__ import annotations

import typer


def ablate(
    ctx: typer.Context,
    env: list[str] = typer.Option(
        ..., "--env", help="Environment (`embodied list envs`). Several: separated by commas, or --env again."
    ),
    agent: str = typer.Option(
        ...,
        "--agent",
        help="A preset, or a policy with --model, or an agent's folder (./NAME). Without --corrector it must see"
        " pictures.",
    ),
    corrector: str | None = typer.Option(
        None,
        "--corrector",
        help="Instead of controls, what words are worth: the agent alone, with this corrector (`embodied list"
        " correctors`), and the expert alone.",
    ),
    also: list[str] = typer.Option(
        [],
        "--also",
        help="With --corrector: one more column, with a setting of the corrector, for instance silence=0.5. Again for"
        " more.",
    ),
    task: str | None = typer.Option(
        None, "--task", help="One task, or several separated by commas; all of the environment by default."
    ),
    model: str | None = typer.Option(None, "--model", help="provider/name, for instance openai/gpt-4o."),
    episodes: int | None = typer.Option(
        None, "--episodes", min=1, help="Episodes per task in each condition; the environment's number by default."
    ),
    seed: int = typer.Option(0, "--seed", min=0, help="Suite seed. All conditions play the same episodes."),
    split: str | None = typer.Option(None, "--split", help="Which episodes: test (the default), train or dev."),
    steps: int | None = typer.Option(None, "--steps", min=1, help="Step limit; the environment's by default."),
    out: str | None = typer.Option(
        None, "--out", help="Folder of the runs, one for each condition; the same command continues them."
    ),
    data: str | None = typer.Option(None, "--data", help="Folder with the published levels, games or pictures."),
    image: bool | None = typer.Option(
        None, "--image/--text", help="Whether the agent sees pictures besides text; by default as with `eval`."
    ),
    metric: str = typer.Option(
        "progress",
        "--metric",
        help="What is compared: progress, success, or one of the environment's own (`embodied show ENV`, Info).",
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON at the end, and nothing before."),
    trust: bool = typer.Option(
        False,
        "--trust",
        help="Play an agent's folder that another user or machine made: see docs/agents.md, An agent as a folder.",
    ),
) -> int:
    """Plays an agent under controls, and says what its score owes to its pictures and to its instruction.

    The same episodes are played by the agent as it is, with black pictures, with the pictures of another episode and
    with the instruction of another episode; then by chance, and by the action that the agent chose most often. Each is
    an ordinary run. Further words set options as for `eval`.

    With --corrector they are played by the agent alone, by the agent while the corrector speaks, and by the
    environment's expert.
    """
    from embodied.cli.ablation import Ablation
    from embodied.cli.helping import Helped
    from embodied.cli.trust import require_trust_in_agent
    from embodied.errors import UsageError
    from embodied.request import Request
    from embodied.session import environments
    from embodied.versions import find

    version = find(agent)
    request = Request(
        agent=agent,
        version=version,
        env=environments(env),
        task=task,
        model=model,
        data=data,
        image=image,
        episodes=episodes,
        seed=seed,
        split=split,
        steps=steps,
        out=out,
        words=tuple(ctx.args),
        corrector=corrector,
    )
    if also and corrector is None:
        raise UsageError("--also sets the corrector of one more column: add --corrector, for instance oracle.")
    made = Ablation(request, metric, as_json) if corrector is None else Helped(request, also, metric, as_json)
    if version is not None:
        require_trust_in_agent(version, trust)
    return made.play()
