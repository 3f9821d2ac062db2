"""Whatever a run folder from a stranger holds: nothing is read or written outside it, nothing hangs, and the answer is
one sentence.
"""

from __future__ import annotations

import resource
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from embodied.console.viewer.library import Library
from embodied.errors import StoreError
from embodied.store.run import Run
from tests.store import hostile

QUICK = ("score RUN --tasks --episodes", "report RUN --pages", "merge RUN GOOD --out merged", "list runs .")
REST = (
    "score RUN --json --episodes",
    "score RUN --statistics balrog",
    "compare RUN GOOD --tasks",
    "compare GOOD RUN --json",
    "power RUN",
    "list runs . --json",
    "leaderboard RUN GOOD --out site --partial",
    "merge GOOD RUN --out merged-too",
    "merge RUN --out GOOD",
    *(f"export RUN --format {name}" for name in ("csv", "html", "sft", "gif", "balrog", "inspect", "lerobot")),
    "export RUN --format corrections",
    "import corrections RUN/amendments.jsonl --run RUN",
    "export RUN --format dpo --against GOOD",
    "export RUN 0 --format html --out elsewhere",
    "replay RUN",
    "replay RUN --trust",
    "resume RUN",
    "resume RUN --trust",
    "branch RUN 0 1 --trust",
    "codalm score RUN",
)
SECONDS = 30
"""After which a command hangs."""


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    return hostile.good_run(tmp_path_factory.mktemp("good") / "run").root


@pytest.fixture
def place(tmp_path, good, call, monkeypatch) -> Path:
    """A folder to work in, with the good run as `good`, the one to be harmed as `run`, and a victim beside it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    work = tmp_path / "work"
    work.mkdir()
    (tmp_path / "moved aside").mkdir()
    shutil.copytree(good, work / "run")
    shutil.copytree(good, work / "good")
    victim = tmp_path / "victim"
    (victim / "folder").mkdir(parents=True)
    (victim / "secret.txt").write_text(f'{{"id": "x", "text": "{hostile.SECRET}"}}\n')
    monkeypatch.chdir(work)
    return tmp_path


def seen(root: Path) -> dict[str, bytes]:
    """Every file below a folder that is not the place to work in."""
    return {
        str(p): p.read_bytes()
        for top in sorted(root.iterdir())
        if top.name not in ("work", "state", "cache", "moved aside")
        for p in top.rglob("*")
        if p.is_file()
    }


def told(root: Path) -> Iterator[Path]:
    """Where a secret could have been copied to."""
    for path in (root / "work").rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 10**7:
            yield path


@contextmanager
def bounded() -> Iterator[None]:
    """A command that hangs fails its test, and one that writes without end meets a limit before the disk is full."""

    def hangs(*_: object) -> None:
        raise TimeoutError(f"the command hangs: it takes more than {SECONDS} s")

    before, limit = signal.signal(signal.SIGALRM, hangs), resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.alarm(SECONDS)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200 * 2**20, limit[1]))
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


def attack(call, place: Path, harm: hostile.Harm, commands: tuple[str, ...]) -> None:
    harm(place / "work/run", place / "victim")
    before = seen(place)
    for command in commands:
        with bounded():
            code, out, err = call(*command.replace("RUN", "run").replace("GOOD", "good").split())
        assert code in (0, 2, 4, 5, 6) or (code == 3 and "is not installed" in err), (command, code, err)
        assert "Traceback" not in err + out, (command, err)
        assert code in (0, 5, 6) or (err.startswith("error: ") and err.count("\n") == 1 and len(err) < 2_000), (
            command,
            err,
        )
        assert "\x1b" not in out + err, (command, out, err)
        assert hostile.SECRET not in out + err, command
        assert seen(place) == before, command
    assert not any(hostile.SECRET.encode() in path.read_bytes() for path in told(place))


@pytest.mark.parametrize("kind", hostile.KINDS)
def test_commands_on_a_hostile_folder(call, place, kind):
    attack(call, place, hostile.KINDS[kind], QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("kind", hostile.KINDS)
def test_every_command_on_a_hostile_folder(call, place, kind):
    attack(call, place, hostile.KINDS[kind], REST)


@pytest.mark.parametrize("kind", hostile.KINDS)
def test_the_viewer_on_a_hostile_folder(place, kind):
    """What the viewer's server asks for: a page, or a `StoreError`, which it answers in a sentence."""
    hostile.KINDS[kind](place / "work/run", place / "victim")
    before = seen(place)
    answers = []
    try:
        library = Library([Run(place / "work/run"), Run(place / "work/good")])
        answers.append(library.runs())
        keys = library.keys()
        for key in keys:
            asked = (
                library.episode,
                lambda k: library.rows(k, 0, 10),
                lambda k: library.steps(k, 0, 10),
                lambda k: library.search(k, "room"),
            )
            more = (
                lambda k: library.messages(k, ["x"]),
                lambda k: library.difference(k, keys[-1]),
                lambda k: library.image(k, "../../x"),
            )
            for ask in (*asked, *more):
                try:
                    answers.append(ask(key))
                except StoreError as error:
                    answers.append(str(error))
        answers.append(library.results(0, 10))
    except StoreError as error:
        answers.append(str(error))
    assert hostile.SECRET not in str(answers) and seen(place) == before


def test_there_are_many_kinds():
    assert len(hostile.KINDS) >= 150
