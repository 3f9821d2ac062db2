"""docs/python.md: each script that has an output beside it prints exactly that."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "python.md").read_text()
SCRIPTS = re.findall(r"```python\n([^`]*)```\n\n[^\n`]*prints:\n\n```text\n([^`]*)```", PAGE)
HASH = re.compile(r"-[0-9a-f]{8}$", re.MULTILINE)
"""The end of a folder's name depends on the versions that are installed."""


def test_the_page_leads_with_a_script():
    assert len(SCRIPTS) == 2 and SCRIPTS[0][0] == re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]


@pytest.mark.parametrize("number", range(len(SCRIPTS)))
def test_a_script_prints_what_the_page_says(number, tmp_path):
    script, printed = SCRIPTS[number]
    (tmp_path / "script.py").write_text(script)
    ran = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert HASH.sub("", ran.stdout) == HASH.sub("", printed)
