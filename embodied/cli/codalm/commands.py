"""`embodied codalm`: the real CODA-LM checked, answers scored and judged, submissions made."""

from __future__ import annotations

from pathlib import Path

import typer

app = typer.Typer(no_args_is_help=True, help="CODA-LM: check your copy, score and judge answers, make a submission.")

_WHAT = typer.Argument(
    ..., metavar="RUN...|SUBMISSION", help="Run folders of CodaLM-v0, or one submission (folder or zip)."
)
_DATA = typer.Option(None, "--data", help="Folder of the real CODA-LM; EMBODIED_CODA_ROOT by default.")
_SPLIT = typer.Option(None, "--split", help="Of a submission: train, val, test or mini; test by default.")
_LANGUAGE = typer.Option(None, "--language", help="Of the references: english or chinese.")
_PARTIAL = typer.Option(False, "--partial", help="Use the rest of a split in which some files have faults.")
_JSON = typer.Option(False, "--json", help="Print JSON instead of tables.")


@app.command("check")
def check(
    data: str | None = typer.Argument(
        None, metavar="[DIR]", help="Folder of the real CODA-LM; EMBODIED_CODA_ROOT by default."
    ),
    split: str | None = typer.Option(None, "--split", help="One split; all that are there by default."),
    language: str | None = typer.Option(None, "--language", help="english or chinese; what is there by default."),
    pictures: bool = typer.Option(
        False, "--pictures", help="Decode every picture whole, not only its header (some 10 ms each)."
    ),
    as_json: bool = _JSON,
) -> int:
    """Lists everything that is wrong with a copy of CODA-LM. The exit code is 5 if something hinders scoring."""
    from embodied.cli.codalm.check import run

    return run(data, split, language, pictures, as_json)


@app.command("categories")
def categories() -> None:
    """Lists the 43 categories by group."""
    from embodied.driving.categories import CATEGORIES, GROUPS

    for group in GROUPS:
        typer.echo(f"{group}: {', '.join(name for name, of in CATEGORIES.items() if of == group)}")


@app.command("questions")
def questions(
    out: Path = typer.Option(..., "--out", help="Folder that the files are written into."),
    data: str | None = _DATA,
    split: str = typer.Option(..., "--split", help="train, val, test or mini."),
    language: str = typer.Option("english", "--language", help="english or chinese."),
    pictures: bool = typer.Option(
        False, "--pictures", help="Also draw the pictures with boxes. You may not redistribute them."
    ),
    partial: bool = _PARTIAL,
) -> None:
    """Writes a split as the three question-answer files that CODA-LM's own conversion makes."""
    from embodied.cli.output import require_writable
    from embodied.driving.codalm import sources, vqa

    require_writable(out / "vqa_anno" / "x", "--out")
    for path, number in vqa.write(out, sources.open_set(split, data, language, partial).scenes, pictures):
        typer.echo(f"{path}: {number} questions")


@app.command("score")
def score(
    what: list[str] = _WHAT,
    data: str | None = _DATA,
    split: str | None = _SPLIT,
    language: str | None = _LANGUAGE,
    partial: bool = _PARTIAL,
    as_json: bool = _JSON,
) -> int:
    """Scores answers by grounded-v1: on facts, without running any model.

    The exit code is 5 if answers are missing.
    """
    from embodied.cli.output import print_json
    from embodied.cli.tables import print_analysis
    from embodied.exchange.codalm import answers, scoring

    found = answers.read(what, data, split, language, partial=partial)
    tables = scoring.tables(found)
    if as_json:
        print_json(
            {
                "answers": found.path,
                "dataset": found.set.dataset,
                "tables": tables,
                "missing": [list(q.key) for q in found.missing],
                "notes": found.notes,
            }
        )
    else:
        print_analysis(tables)
        _say(found.notes)
    return 5 if found.missing else 0


@app.command("judge")
def judge(
    what: list[str] = _WHAT,
    model: str = typer.Option(
        ...,
        "--model",
        help="The judge, provider/name: openai/gpt-4o-2024-05-13, or compatible/NAME for any server of yours.",
    ),
    data: str | None = _DATA,
    split: str | None = _SPLIT,
    language: str | None = _LANGUAGE,
    partial: bool = _PARTIAL,
    out: Path | None = typer.Option(
        None, "--out", help="File of the ratings; the same command continues it. By default beside the answers."
    ),
    concurrency: int = typer.Option(8, "--concurrency", min=1, help="Calls at a time."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Print how many calls are needed, and make none."),
    prompts: Path | None = typer.Option(
        None,
        "--prompts",
        help="Folder with prompts of yours, TASK.json each (docs/driving.md); their name is in the score's.",
    ),
    ratings: str = typer.Option(
        "strict", "--ratings", help="With --prompts, how ratings are read: strict or brackets."
    ),
    as_json: bool = _JSON,
) -> int:
    """Has a language model rate answers against the references, 1 to 10. It sees no picture.

    Options of the model and the budget are given as words:
    `model.base_url=http://127.0.0.1:8000/v1 run.budget.dollars=5`.

    The same command continues where it stopped and skips what is judged.
    The exit code is 5 if an answer has no rating.
    """
    from embodied.cli.codalm.judge import JudgingRequest, run

    folders = [w for w in what if "=" not in w or Path(w).exists()]
    words = tuple(w for w in what if w not in folders)
    return run(
        JudgingRequest(
            folders, words, model, data, split, language, partial, out, concurrency, dry_run, as_json, prompts, ratings
        )
    )


@app.command("submission")
def submission(
    runs: list[str] = typer.Argument(
        ..., metavar="RUN...", help="Run folders of CodaLM-v0 on one real split; together they hold the three tasks."
    ),
    out: Path = typer.Option(..., "--out", help="Folder that the three files are written into."),
    data: str | None = _DATA,
    partial: bool = typer.Option(
        False, "--partial", help="Write the answers that are there, even if some are missing."
    ),
) -> int:
    """Writes the challenge's three files from runs. The exit code is 5 if answers are missing."""
    from embodied.cli.output import require_writable
    from embodied.exchange.codalm import submit

    require_writable(out / "x", "--out")
    made = submit.write(runs, data, out, partial)
    for path, lines in made.files:
        typer.echo(f"{path}: {lines} answers")
    _say(made.notes)
    return 5 if made.missing else 0


def _say(notes: tuple[str, ...]) -> None:
    for note in notes:
        typer.echo(note)
