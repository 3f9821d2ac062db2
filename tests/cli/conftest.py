"""The command line, called in a folder of its own."""

from __future__ import annotations

import pytest

from embodied.cli import main


@pytest.fixture
def call(capfd, monkeypatch, tmp_path):
    """Calls the command line in an empty folder; gives exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return ended.value.code or 0, out, err

    return call
