"""`embodied floors`: what random choice and the best constant phrase earn."""

from __future__ import annotations

from pathlib import Path

import typer


def floors(
    env: str | None = typer.Option(
        None, "--env", help="One environment, or several separated by commas; all by default."
    ),
    rules: str | None = typer.Option(
        None, "--rules", help="embodied or balrog; by default every rule set that an environment has."
    ),
    episodes: int | None = typer.Option(
        None, "--episodes", min=2, help="Episodes per task for each floor; by default 600 in all, 15 to 100 a task."
    ),
    measure: bool = typer.Option(
        False, "--measure", help="Play to measure the floors, instead of printing the shipped ones."
    ),
    work: Path = typer.Option(
        Path("runs/floors"), "--work", help="Folder of the runs; the same command continues them."
    ),
    out: Path | None = typer.Option(
        None,
        "--out",
        help="Folder of the files; <work>/data by default. The shipped ones are in embodied/eval/floors/data.",
    ),
    workers: int | None = typer.Option(None, "--workers", min=1, help="Processes; the number of cores by default."),
) -> None:
    """Prints floors: what random choice and the best constant phrase earn.

    With --measure it plays to measure them. It chooses a phrase in stages on
    seeds of their own, and reports fresh seeds, so that no number is a maximum
    over noise.
    """
    from embodied.catalog import ENTRIES, entry
    from embodied.cli.output import require_writable
    from embodied.config import env_options
    from embodied.errors import UsageError
    from embodied.rollout.playing import cores

    names = [entry(name.strip()).name for name in env.split(",")] if env else list(ENTRIES)
    if rules not in (None, "embodied", "balrog"):
        raise UsageError(f"--rules is embodied or balrog, not {rules!r}.")
    wanted = [
        (name, r)
        for name in names
        for r in (("embodied", "balrog") if "rules" in env_options(name) else ("embodied",))
        if rules in (None, r)
    ]
    if measure:
        require_writable(work / "x" / "x", "--work")
        require_writable((out or work / "data") / "x", "--out")
        _measure(wanted, episodes, work, out or work / "data", workers or cores())
    else:
        _print(wanted)


def _measure(wanted: list[tuple[str, str]], episodes: int | None, work: Path, out: Path, workers: int) -> None:
    import asyncio

    import msgspec

    from embodied.eval.floors import file_name
    from embodied.eval.floors.measuring import Effort, Measurement
    from embodied.rollout.identity import versions
    from embodied.rollout.worlds.workers import Pool
    from embodied.store.disk import named, write_whole

    async def play() -> None:
        async with Pool(workers) as pool:
            for name, rules in wanted:
                found = await Measurement(
                    name, rules, Effort.of(name, episodes), work, versions(), pool, typer.echo
                ).floors()
                path = out / file_name(found.id, rules)
                with named(path):
                    write_whole(path, msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
                typer.echo(str(path))

    asyncio.run(play())


def _print(wanted: list[tuple[str, str]]) -> None:
    from embodied.catalog import ENTRIES
    from embodied.cli.rows import print_rows, say
    from embodied.eval.floors import AGENTS, known, mean, sentence

    for name, rules in wanted:
        tasks = {task: known(name, task, {"rules": rules}) for task in ENTRIES[name].tasks}
        each = [[next((f for f in floors if f.agent == agent), None) for floors in tasks.values()] for agent in AGENTS]
        whole = [f for parts in each if (f := mean(parts)) is not None]
        say(f"{ENTRIES[name].id}, rules {rules}: {sentence(whole) or 'no floor known for all tasks'}")
        print_rows([(f"  {task}:", sentence(found) or "no floor known") for task, found in tasks.items()])
