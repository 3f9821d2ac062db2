"""`embodied new`: the package passes its own tests and the linter; the page shows its code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from embodied.cli.new import LONGEST, TEMPLATES, WRITTEN_FOR
from tests.plugins.stranger import ROOT

KINDS = list(WRITTEN_FOR)


@pytest.mark.parametrize("kind", KINDS)
def test_the_package_passes_its_tests_and_the_linter(kind: str, call, tmp_path: Path) -> None:
    name = "a" + "b" * (LONGEST - 1)  # the longest: no line grows too long
    assert call("new", kind, name)[0] == 0
    folder = tmp_path / name
    assert not re.search(
        "my.?(world|agent|corrector|learner|model)", " ".join(p.read_text() for p in folder.rglob("*.*")), re.IGNORECASE
    )
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "."], cwd=folder, env=path, capture_output=True, text=True
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
    ruff = subprocess.run([sys.executable, "-m", "ruff", "check", "."], cwd=folder, capture_output=True, text=True)
    assert ruff.returncode == 0, ruff.stdout


@pytest.mark.parametrize(
    ("kind", "name", "why"),
    [
        ("environment", "crafter", "named 'crafter' already"),
        ("agent", "naive", "named 'naive' already"),
        ("corrector", "critic", "named 'critic' already"),
        ("learner", "null", "named 'null' already"),
        ("model", "openai", "named 'openai' already"),
        ("agent", "numpy", "a Python package"),
        ("model", "json", "a Python package"),
        ("environment", "My-World", "cannot be a name"),
        ("environment", "../up", "cannot be a name"),
        ("environment", "x" * (LONGEST + 1), "cannot be a name"),
        ("agent", "class", "is a reserved word"),
        ("environment", "tests", "is a reserved word"),
        ("agent", "decision", "Decision has another use"),
    ],
)
def test_names_that_cannot_be(kind: str, name: str, why: str, call, tmp_path: Path) -> None:
    code, _, err = call("new", kind, name)
    assert code == 2 and why in err
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(call, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("keep")
    code, _, err = call("new", "agent", "mine")
    assert code == 2 and "nothing is overwritten" in err
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert call("new", "agent", "mine", "--out", "link")[0] == 2
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes.txt"] and not (tmp_path / "nowhere").exists()


def test_the_page_shows_the_code_of_the_templates() -> None:
    code = [path.read_text() for path in TEMPLATES.rglob("*.*")]
    shown = re.findall(
        r"^```(?:python|toml)\n(.*?)^```", (ROOT / "docs/your-own.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert len(shown) >= 6
    for block in shown:
        assert any(_lines(block) in _lines(text) for text in code), block


def _lines(text: str) -> str:
    """Code without blank lines and indentation, which a page may leave out."""
    return "".join(f"{line.strip()}\n" for line in text.splitlines() if line.strip())
