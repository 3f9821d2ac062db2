"""Shared fixtures."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from embodied.extras import left_out

for name in ("COLUMNS", "LINES"):  # xdist sets them for its workers; what is printed must not depend on that
    os.environ.pop(name, None)

_WITHOUT = {"textworld": ["textworld"], "nle": ["nethack", "minihack"], "ompl": ["ompl"]}
"""What has no release for some Pythons -> what its tests are called."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips the tests of simulators that this Python cannot have, and says why."""
    for module, names in _WITHOUT.items():
        if reason := left_out(module):
            for item in items:
                if any(name in item.nodeid.lower() for name in names):
                    item.add_marker(pytest.mark.skip(reason=reason))


def _public_data(name: str, what: str, sign: str) -> Path:
    """A folder of public data: `EMBODIED_<NAME>_DATA`, or `../shared/data/<name>` beside the checkout. Skips the test
    without it.
    """
    variable = f"EMBODIED_{name.upper()}_DATA"
    root = Path(os.environ.get(variable, Path(__file__).parents[2] / "shared/data" / name))
    if not (root / sign).is_file():
        pytest.skip(f"{what} are not here; set {variable} to their folder")
    return root


@pytest.fixture(scope="session")
def balrog_data() -> Path:
    """The folder of public BALROG records."""
    return _public_data("balrog", "the public BALROG records", "manifest.json")


@pytest.fixture(scope="session")
def patheval_data() -> Path:
    """The folder of PathEval's published maps and conformance cases."""
    return _public_data("patheval", "PathEval's published maps", "conformance_pairs_ompl.json")


@pytest.fixture(scope="session")
def codalm_data() -> Path:
    """The folder of CODA-LM's sample annotation, submission and leaderboard."""
    return _public_data("codalm", "CODA-LM's samples", "wcoda2024_track1_leaderboard.csv")


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user cache (for `XDG_CACHE_HOME`) with the embedded model converted for transformers. Converting is half a
    minute of work: the first test worker that needs the model does it for all.
    """
    pytest.importorskip("torch")
    from embodied.models.local.convert import converted
    from embodied.models.local.weights import embedded

    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root  # the session's, not the worker's
    with (root / "model_cache.lock").open("w") as lock, pytest.MonkeyPatch.context() as patch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        patch.setenv("XDG_CACHE_HOME", str(root / "model_cache"))
        converted(embedded())
    return root / "model_cache"


@pytest.fixture
def call(capfd, monkeypatch, tmp_path):
    """Calls the command line in an empty folder; gives exit code, output and errors."""
    # not above: the environment that replays BALROG's records holds no more than that takes
    from embodied.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return ended.value.code or 0, out, err

    return call
