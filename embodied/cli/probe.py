"""`embodied probe patheval`: do the features of a vision encoder hold what a judge of paths must see?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from embodied.planning.items import Pair

app = typer.Typer(help="Measures what vision encoders carry, without a language model.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    pass


@app.command()
def patheval(
    encoder: list[str] = typer.Option(
        [], "--encoder", help="A folder with a model of transformers, an id in this machine's Hub cache, or a control."
    ),
    view: str = typer.Option("2d", "--view", help="2d or 3d."),
    split: str = typer.Option("all", "--split", help="all (test and dev), test, dev, or train with --data."),
    data: Path | None = typer.Option(None, "--data", help="A folder that `embodied data patheval` wrote."),
    maps: int | None = typer.Option(None, "--maps", min=2, help="Use only this many maps, for a quick look."),
    folds: int = typer.Option(5, "--folds", min=2, help="Parts of the maps; each is held out once."),
    tune: int = typer.Option(
        0, "--tune", min=0, help="Also tune the named encoders for this many epochs, again for each fold."
    ),
    seed: int = typer.Option(0, "--seed", min=0, help="Seed of folds, intervals and random weights."),
    controls: bool = typer.Option(True, "--controls/--no-controls", help="Probe the controls too."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of tables."),
) -> int:
    """PathEval: probes for the seven descriptors, held out by map.

    Without --encoder it probes only the controls: descriptors, raw-pca,
    random-vit.
    """
    import msgspec

    from embodied.cli.output import print_json
    from embodied.cli.tables import print_analysis
    from embodied.errors import UsageError
    from embodied.planning.encoders import CONTROLS, MEANING
    from embodied.planning.encoders import encoder as make
    from embodied.planning.probe import Panels, probe
    from embodied.planning.probe_tables import table

    if not encoder and (tune or not controls):
        raise UsageError("Name what to probe or tune with --encoder (random-vit can be tuned too).")
    names = list(dict.fromkeys([*(CONTROLS if controls else ()), *encoder]))
    made = [make(name, seed=seed) for name in names] + [make(name, tune=tune, seed=seed) for name in encoder if tune]
    panels = Panels(_pairs(split, data, view, maps), view)
    rows = []
    for one in made:
        found = probe(one, panels, folds=folds, seed=seed)
        rows += found
        if not as_json:
            print_analysis([table(found, f"PathEval {view}: {one.name}", MEANING.get(one.name, ""))])
    if as_json:
        held = {
            "view": view,
            "pairs": len(panels.pairs),
            "maps": len({p.map for p in panels.pairs}),
            "folds": folds,
            "seed": seed,
        }
        print_json(
            {
                **held,
                "meaning": {n: MEANING[n] for n in names if n in MEANING},
                "rows": [msgspec.to_builtins(row) for row in rows],
            }
        )
        return 0
    on = f"{len(panels.pairs)} pairs on {len({p.map for p in panels.pairs})} maps"
    typer.echo(
        f"\n{on}; every figure comes from maps that the probe was not fitted on ({folds} folds), with its 95 % interval"
        " over maps."
    )
    typer.echo(
        "AUC: 0.5 is chance. R2: 0 is the mean of the other maps, 1 is perfect. differ: pairs that differ by a"
        " threshold or more."
    )
    return 0


def _pairs(split: str, data: Path | None, view: str, maps: int | None) -> list[Pair]:
    """The distinct pairs to probe, in the order of their sets; `maps` keeps only those of the first maps."""
    from embodied.errors import UsageError
    from embodied.planning.items import EMBEDDED, SPLITS, embedded
    from embodied.planning.published import read_split
    from embodied.registry import unknown

    if split not in ("all", *SPLITS):
        raise unknown("split", split, ["all", *SPLITS], "embodied probe patheval --help")
    if data is None and split == "train":
        raise UsageError(
            "The train split does not ship with the package. Make it with `embodied data patheval --out DIR`, then give"
            " --data DIR."
        )
    if data is not None and not data.is_dir():
        raise UsageError(f"--data: there is no folder {data}.")
    splits = EMBEDDED if split == "all" else (split,)
    sets = [embedded(name) if data is None else read_split(str(data), name, view, True) for name in splits]
    pairs = [pair for items in sets for pair in items.pairs]
    kept = list(dict.fromkeys(pair.map for pair in pairs))[:maps]
    return [pair for pair in pairs if pair.map in set(kept)]
