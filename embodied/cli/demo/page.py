"""The demo's page: one HTML file with its films in it. It asks for nothing from elsewhere, and escapes every text."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from embodied.cli.demo.figures import GAMES, READING, Row
from embodied.cli.demo.films import Film
from embodied.cli.demo.plays import DISTRACTORS, STEPS
from embodied.eval.charts import whisker
from embodied.eval.markup import Html, el, join, raw
from embodied.eval.report_parts import POLICY
from embodied.terminal import shell_word

INTRO = (
    "tinyvlm is a small vision-language agent that was trained from nothing on one CPU core. It gets a picture, an"
    " instruction and its own past actions, and says the next action. Here it plays BabyAI levels that it has never"
    " seen. Beside it stand two controls: the same agent with a black picture, and with the instruction of another"
    " episode."
)
READ = (
    f"BabyAI, five tasks, {DISTRACTORS} objects in each room that the instruction does not name. Success with its 95 %"
    " interval. First object named: the share of episodes in which the first object touched is one that the"
    " instruction names. SPL: success times the bot's steps / the larger of the bot's steps and the agent's. Tinyvlm"
    " minus player: points of success with their interval, over the same episodes. n: episodes. Rows with ± were"
    " measured before; ± is the standard error."
)
PLAYED = (
    "One episode of the first task of each game. Experts are programs that know the game. SmolLM2-135M is a small text"
    f" model that comes with the package. It reads texts, sees no picture, and gets {STEPS} steps: take its score as"
    " the lower end."
)


def page(
    out: Path,
    episodes: int,
    learners: Sequence[Film],
    reading: Sequence[Row],
    others: Sequence[Film],
    games: Sequence[Row],
) -> bytes:
    """The page as a document.

    Args:
        out: The demo's folder, for the commands.
        episodes: Of each of BabyAI's tasks, for the commands.
        learners: The same episode by the agent that sees, and under its controls.
        reading: Rows of BabyAI's table.
        others: A film of each game.
        games: Rows of the games' table.
    """
    style = (files("embodied.eval").joinpath("data/report.css"), files("embodied.cli").joinpath("data/demo.css"))
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("title", "Embodied: the demo"),
        el("style", raw("".join(path.read_text(encoding="utf-8") for path in style))),
    )
    body = el(
        "main",
        el("header", el("h1", "An agent that looks and reads"), el("p", INTRO, class_="lead")),
        _films(learners, "three"),
        _section("Does it look? Does it read?", READ, _table(READING, reading, 2), _notes(reading)),
        _section("Six games", PLAYED, _films(others, "four"), _table(GAMES, games, None), _notes(games)),
        _next(out, episodes),
    )
    return f"<!doctype html>\n{el('html', head, el('body', body), lang='en')}\n".encode("utf-8", "replace")


def _section(title: str, note: str, *children: Any) -> Html:
    return el("section", el("h2", title), el("p", note, class_="note"), children)


def _films(films: Sequence[Film], class_: str) -> Html | None:
    return el("div", map(_film, films), class_=f"films {class_}") if films else None


def _film(film: Film) -> Html:
    data = base64.b64encode(film.gif.read_bytes()).decode("ascii")
    words = el("figcaption", film.title, el("span", film.came_of_it, class_="came"))
    picture = el("img", src=f"data:image/gif;base64,{data}", alt=f"{film.title}: {film.goal}")
    return el("figure", picture, words)


def _table(columns: Sequence[str], rows: Sequence[Row], plot: int | None) -> Html:
    """A table. With `plot`, each row has a plot of its mean and interval as column of that number."""

    def line(row: Row) -> Html:
        cells: list[Any] = list(row.cells)
        if plot is not None:
            cells.insert(plot, whisker(row.mean, row.interval, width=150) if row.mean is not None else "")
        return el("tr", (el("th" if n == 0 else "td", cell) for n, cell in enumerate(cells)))

    names = list(columns)
    if plot is not None:
        names.insert(plot, "0 to 100 %")
    head = el("thead", el("tr", (el("th", name) for name in names)))
    table = el("table", head, el("tbody", map(line, rows)), class_="numbers")
    return el("div", table, class_="wide")


def _notes(rows: Sequence[Row]) -> Html:
    return join(el("p", row.note, class_="warning") for row in rows if row.note)


def _next(out: Path, episodes: int) -> Html:
    mine = "runs/mine"
    steps = (
        ("See every step of these runs in the browser.", f"embodied view {shell_word(out)}"),
        (
            "Let a model of yours play the same episodes.",
            f"embodied eval --env babyai --agent gpt4o --image --episodes {episodes} --out {mine}"
            f" env.distractors={DISTRACTORS}",
        ),
        ("Say which is better, and if it could be luck.", f"embodied compare {shell_word(out / 'tinyvlm')} {mine}"),
    )
    return el("section", el("h2", "Next"), el("ol", (el("li", text, el("pre", command)) for text, command in steps)))
