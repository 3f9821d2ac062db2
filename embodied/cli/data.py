"""`embodied data`: makes data sets to train on, and checks published ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from embodied.planning.making import Recipe

app = typer.Typer(help="Makes data sets to train on, and checks published ones.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    pass


@app.command()
def patheval(
    out: Path | None = typer.Option(
        None, "--out", help="Folder to write: test, dev and train in PathEval's format, with pictures."
    ),
    check: Path | None = typer.Option(
        None, "--check", help="Folder to check: published files, or files of this command. Writes nothing."
    ),
    maps: int = typer.Option(100, "--maps", min=1, help="Maps of the train split; five pairs on each."),
    each: int | None = typer.Option(
        None, "--each", min=1, help="How many train items each scenario gets; all by default."
    ),
    seed: int = typer.Option(
        0,
        "--seed",
        min=0,
        help="Decides the train split. The test and dev splits are those that ship with the package.",
    ),
    planner: str = typer.Option(
        "rrt", "--planner", help="The planner: rrt, rrt_connect, astar, astar_cautious, or ompl (an extra)."
    ),
    views: str = typer.Option("2d,3d", "--views", help="Which pictures: 2d, 3d, or both."),
    workers: int | None = typer.Option(None, "--workers", min=1, help="Processes; one a core by default."),
) -> int:
    """PathEval: writes labelled pairs of paths with pictures, or checks a folder of them.

    The exit code is 5 if a record cannot be used.
    """
    from embodied.errors import UsageError
    from embodied.planning.views import VIEWS
    from embodied.registry import unknown

    if (out is None) == (check is None):
        raise UsageError("Give either --out DIR to write a data set, or --check DIR to check one.")
    wanted = [view.strip() for view in views.split(",")]
    for view in wanted:
        if view not in VIEWS:
            raise unknown("view of paths", view, list(VIEWS), "embodied show patheval")
    if check is not None:
        return _check(check)
    from embodied.planning.making import Recipe

    assert out is not None  # checked above
    return _write(out, Recipe(seed=seed, maps=maps, each=each, planner=planner), wanted, workers)


@app.command()
def codalm(
    out: Path = typer.Option(..., "--out", help="Folder to write; new or empty."),
    more: int | None = typer.Option(
        None, "--more", min=1, help="Write this many new pairs of scenes, instead of the embedded 24."
    ),
    seed: int = typer.Option(0, "--seed", min=0, help="Decides the new pairs of --more."),
) -> None:
    """Procedural corner cases: writes the scenes in CODA-LM's layout, with pictures, annotations,
    questions and facts.
    """
    from embodied.cli.output import require_writable
    from embodied.cli.progress import counted
    from embodied.driving.scene import export, sets

    require_writable(out / "x", "--out")
    specs = sets.more(more, seed) if more else sets.specs()
    scenes = [sets.scene_of(spec) for spec in specs] if more else sets.scenes()
    with counted("scenes", len(specs)) as heard:
        files = export.write(out, specs, scenes, heard)
    typer.echo(f"{len(specs)} scenes of {sets.NAME}: {files} files in {out}")


def _write(out: Path, recipe: Recipe, views: list[str], workers: int | None) -> int:
    from embodied.cli.output import require_writable
    from embodied.cli.progress import counted
    from embodied.planning import published
    from embodied.planning.items import EMBEDDED, embedded
    from embodied.planning.making import make
    from embodied.planning.planners import PLANNERS
    from embodied.registry import unknown

    if recipe.planner not in PLANNERS:
        raise unknown("planner", recipe.planner, list(PLANNERS), "embodied data patheval --help")
    require_writable(out / "x", "--out")  # now, and not after hours of planning
    with counted("maps", recipe.maps) as heard:
        made = make(recipe, workers, lambda done, total: heard(done))
    typer.echo(", ".join(f"{value} {key}" for key, value in made.counts.items()))
    if infeasible := made.counts.get("infeasible maps"):
        typer.echo(f"{infeasible} of {made.counts['maps']} maps are infeasible for every robot and were skipped.")
    sets = [embedded(split) for split in EMBEDDED] + [made]
    pictures = len(views) * sum(len(items.pairs) for items in sets)
    with counted("pictures", pictures) as heard:
        published.write(out, sets, views, heard)
    typer.echo(
        f"{out}: {', '.join(f'{len(items.items)} {items.split}' for items in sets)} items, {pictures} pictures"
        f" ({', '.join(views)})."
    )
    return 0


def _check(folder: Path) -> int:
    from embodied.errors import UsageError
    from embodied.planning import published
    from embodied.planning.views import VIEWS

    found = [
        (split, view) for split in published.FILES for view in VIEWS if published.path_of(folder, split, view).is_file()
    ]
    if not found:
        raise UsageError(
            f"There is no file of PathEval in {folder}: neither {published.path_of(folder, 'test', '2d')} nor another."
        )
    bad = 0
    for split, view in found:
        try:
            reading = published.read(folder, split, view)
        except UsageError as error:
            typer.echo(str(error))
            bad += 1
            continue
        agreement = "-" if reading.agreement is None else f"{reading.agreement:.4f}"
        typer.echo(
            f"{reading.path}: {reading.records} records, {len(reading.items) + len(reading.disagreements)} readable,"
            f" label is the rule's: {agreement}"
        )
        for line in (*reading.problems, *reading.disagreements):
            typer.echo(f"  {line}")
        bad += len(reading.problems)
    return 5 if bad else 0
