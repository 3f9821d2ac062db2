"""What `embodied codalm check` prints."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from embodied.driving.codalm.load import Problem, Split

SHOWN = 20
"""Lines of one kind; JSON holds them all."""


def run(data: str | None, split: str | None, language: str | None, pictures: bool, as_json: bool) -> int:
    """Checks the splits that are there, or the one that is named. Returns the exit code."""
    from embodied.cli.output import print_json
    from embodied.driving.codalm import load
    from embodied.driving.records import LANGUAGES, SPLITS

    root = load.data_root(data)
    wanted = [
        (s, lang)
        for lang in ([language] if language else LANGUAGES)
        for s in ([split] if split else load.present(root, lang.casefold()))
    ]
    if not wanted or (split and not language):
        wanted = [(split or SPLITS[-1], language or LANGUAGES[0])]
    splits = [load.load(root, s, lang, pictures) for s, lang in wanted]
    problems = [*(p for found in splits for p in found.problems), *load.unannotated(root)]
    hindering = [p for p in problems if p.kind not in ("no annotation", "count")]
    if as_json:
        said = [
            {
                "split": s.name,
                "language": s.language,
                "scenes": len(s.scenes),
                "regions": len(s.questions("region_perception")),
            }
            for s in splits
        ]
        print_json({"root": str(root), "splits": said, "problems": problems})
    else:
        _print(splits, problems)
    return 5 if hindering else 0


def _print(splits: list[Split], problems: list[Problem]) -> None:
    from embodied.cli.tables import console, print_table, table
    from embodied.driving.codalm.load import KINDS, PUBLISHED

    shown = table("split", "language", "scenes", "published", "regions", "problems")
    for found in splits:
        shown.add_row(
            found.name,
            found.language,
            str(len(found.scenes)),
            str(PUBLISHED[found.name]),
            str(len(found.questions("region_perception"))),
            str(len(found.problems)),
        )
    print_table(console(), shown)
    for kind, number in Counter(p.kind for p in problems).items():
        typer.echo(f"\n{kind} ({number}): {KINDS[kind]}")
        of_kind = [p for p in problems if p.kind == kind]
        for problem in of_kind[:SHOWN]:
            typer.echo(f"  {problem.file}: {problem.text}")
        if number > SHOWN:
            typer.echo(f"  ... and {number - SHOWN} more; --json lists them all.")
    if not problems:
        typer.echo("Nothing is wrong.")
