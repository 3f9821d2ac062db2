"""The pages: width, links, commands, and some phrases that a tired reader stumbles over (CONTRIBUTING.md, "Prose").

Docstrings of the package are checked for the phrases, too.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from embodied.cli import _register, app
from embodied.config import EvalConfig, keys

ROOT = Path(__file__).parents[1]
WRITTEN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
"""Written by hand."""
PAGES = [*WRITTEN, *sorted((ROOT / "docs/envs").glob("*.md"))]
"""With the pages that docs/make.py writes from docstrings: they show texts of environments, which may be wide."""
WIDTH = 120
"""Columns of a line. Rows of tables are lines too: where a cell is too long, write a list."""
README_LINES = 120

PHRASES = {
    r"\b(is|are|was|were) to be\b": "write 'must'",
    r"(?<!there )\b(is|are|was|were) no (?!longer\b|more\b)": "write 'is not a'",
    r"\bof use only\b": "write 'matters only in'",
    r"\bfor ever\b": "write 'always'",
    r"\bwhoever\b": "name the actor",
    r"\bin the midst\b": "write 'in the middle'",
    r"\b(is|are) mended\b": "write 'repaired', and say who repairs",
    r"\bruns of before\b": "write 'older runs'",
    r"\buntil now\b": "say which version",
    r"\bthe same in another dress\b": "say what differs",
}
"""What not to write, and what to write instead."""
RIDDLES = PHRASES | {
    r"\bgo(es)? on with\b": "write 'continue'",
    r"\bgone on with\b": "write 'continued'",
    r"\bsuch as (it|they) (writes?|gives?)\b": "say which form",
    r"\bof before\b": "write 'older' or 'earlier'",
    r"\b(of|to|by) nobody\b": "name the actor",
    r"\bcannot be had\b": "write 'is missing'",
    r"\bcomes? of it\b": "write 'the result'",
    r"\bwhat is behind\b": "name the thing",
}
"""What not to write in docstrings."""

name = lambda path: str(path.relative_to(ROOT))  # noqa: E731 - the id of a parameter


@pytest.mark.parametrize("page", [*WRITTEN, ROOT / "docs/envs/README.md"], ids=name)
def test_lines_have_at_most_120_columns(page: Path):
    wide = [f"line {n}: {len(line)}" for n, line in enumerate(lines(page), 1) if len(line) > WIDTH]
    assert not wide


def test_the_readme_is_short():
    assert len(lines(ROOT / "README.md")) < README_LINES


@pytest.mark.parametrize("page", [p for p in WRITTEN if p.name != "CHANGELOG.md"], ids=name)
def test_no_phrase_that_readers_stumble_over(page: Path):
    text = re.sub(r"\s+", " ", prose(page.read_text()))
    found = [(m[0], advice) for phrase, advice in PHRASES.items() for m in re.finditer(phrase, text, re.IGNORECASE)]
    assert not found


def test_no_phrase_in_docstrings_that_readers_stumble_over():
    """Reads all docstrings of the package, those of attributes included."""
    phrases = re.compile("|".join(RIDDLES), re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{line}: {match[0]!r}: {advice_on(match[0])}"
        for path in sorted((ROOT / "embodied").rglob("*.py"))
        if phrases.search(" ".join((source := path.read_text()).split()))  # parsing every file would take seconds
        for line, text in docstrings(source)
        for match in phrases.finditer(text)
    ]
    assert not found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_resolve(page: Path):
    """Every relative link names a file of the repository, and its anchor a heading of that page."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "CHANGELOG.md"], ids=name)
def test_commands_exist(page: Path):
    """Every `embodied COMMAND --option` on a page is a command with that option."""
    wrong = [f"{' '.join(words)}: {fault}" for words in commands(page.read_text()) if (fault := fault_of(words))]
    assert not wrong


@pytest.mark.parametrize("page", [p for p in WRITTEN if p.name != "CHANGELOG.md"], ids=name)
def test_settings_exist(page: Path):
    """Every `agent.key=value`, `model.key=value` or `run.key=value` on a page is a key of the configuration."""
    known = set(keys(EvalConfig()))
    code = " ".join([*spans(page.read_text()), *blocks(page.read_text())])
    unknown = {key for key in re.findall(r"\b((?:agent|model|run)\.[a-z_.]+)=", code) if key not in known}
    assert not unknown


def test_the_architecture_page_is_true():
    """Every file and folder that a table of docs/architecture.md names is there, and every room has its row."""
    rows = re.findall(r"^\| ([^|]*) \|", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE)
    named, missing = set(), []
    for row in rows:
        folder = ""
        for place in re.findall(r"`([\w/]+(?:/|\.py))`", row):
            there = next((p for p in (place, folder + place) if (ROOT / "embodied" / p).exists()), None)
            missing += [] if there else [place]
            named.add((there or place).split("/")[0])
            folder = (there or place).rstrip("/").rpartition("/")[0] + "/"
    rooms = {p.name for p in (ROOT / "embodied").iterdir() if p.name[:1] not in "_." and p.suffix in ("", ".py")}
    assert not missing
    assert not rooms - named


def test_a_missing_command_and_a_missing_option_are_found():
    assert fault_of(["frobnicate"]) == "no such command"
    assert fault_of(["list", "nothings"]) == "no such command"
    assert fault_of(["eval", "--env", "babyai", "--agnet", "random"]) == "no option --agnet"
    assert fault_of(["codalm", "judge", "runs/a", "--model", "openai/x", "run.budget.dollars=20"]) is None


def lines(page: Path) -> list[str]:
    return page.read_text().splitlines()


def without_code(text: str) -> str:
    """A page without fenced blocks, indented blocks and code spans."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"(?<=\n\n)(?: {4}.*\n+)+", "", text)
    return re.sub(r"`[^`]*`", "", text)


def prose(text: str) -> str:
    """A page without code, tables and quotations."""
    text = re.sub(r"^\|.*$", "", without_code(text), flags=re.MULTILINE)
    return re.sub(r'"[^"]*"', "", text)


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """The line and the prose of each string that stands alone as a statement."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, re.sub(r"\s+", " ", prose(node.value.value))


def advice_on(found: str) -> str:
    return next(advice for phrase, advice in RIDDLES.items() if re.search(phrase, found, re.IGNORECASE))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def blocks(text: str) -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def spans(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def commands(text: str) -> Iterator[list[str]]:
    """The words after `embodied`, of every command in a block or a code span."""
    shown = [line[2:] for block in blocks(text) for line in block.replace("\\\n", " ").split("\n") if line[:2] == "$ "]
    for line in [*shown, *spans(text)]:
        words = shlex.split(re.sub(r"[\[\]|]", " ", re.sub(r"\s+", " ", line)).replace("'", ""), comments=True)
        if words[:1] == ["embodied"] and len(words) > 1:
            yield words[1:]
        elif words and words[0] in root().commands and any(word.startswith("--") for word in words):
            yield words


@lru_cache
def root() -> Any:
    """The command line, as a group of click (Typer brings its own copy of click)."""
    if not app.registered_commands:
        _register()
    return typer.main.get_command(app)


def fault_of(words: list[str]) -> str | None:
    """What is wrong with a command; words in capitals (`COMMAND`, `RUN`) stand for any."""
    found = root()
    rest = list(words)
    while hasattr(found, "commands") and rest and not rest[0].startswith("-") and not rest[0].isupper():
        if rest[0] == "...":
            return None
        if rest[0].rstrip(",") not in found.commands:
            return "no such command"
        found = found.commands[rest.pop(0).rstrip(",")]
    if hasattr(found, "commands") and rest and rest[0].isupper():
        return None
    options = {"--help", *(option for p in found.params for option in (*p.opts, *p.secondary_opts))}
    return next((f"no option {word}" for word in rest if word.startswith("--") and word not in options), None)
