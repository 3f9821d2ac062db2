"""Everything that writes files for a user, on a disk that fills up: a sentence, no half file, and the same command
works when there is room.
"""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.test_cli import BABYAI, cli  # noqa: F401

SIZES = (0, 8_192)
"""Bytes left on the disk."""


@pytest.fixture
def small_disk(tmp_path) -> Iterator[tuple[Callable[[int], Path], Callable[[], None]]]:
    """Gives a folder where so many bytes can be written, and what makes room: a tmpfs where one can be mounted, else a
    limit on a file's size.
    """
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True).returncode
        == 0
    )
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(left: int) -> Path:
        if mounted:
            space = os.statvfs(folder)
            (folder / "ballast").write_bytes(b"\1" * max(0, space.f_bavail * space.f_frsize - left))
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (left // 16, limits[1]))
        return folder

    def make_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        if mounted:
            subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)

    yield fill, make_room
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    if mounted:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """A run of two BabyAI episodes, pictures and all, long enough to fill the disk."""
    from embodied.cli import main

    root = tmp_path_factory.mktemp("recorded") / "run"
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "eval",
                *BABYAI,
                "--agent",
                "random",
                "--image",
                "--episodes",
                "2",
                "--steps",
                "40",
                "--out",
                str(root),
                "run.workers=1",
            ]
        )
    assert not ended.value.code
    return root


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def check(cli, disk, command: list[str], left: int, name: str = "out") -> None:  # noqa: F811
    """Gives a command whose last argument becomes a place on the disk: first full, then with room."""
    fill, make_room = disk
    out = fill(left) / name
    code, said, err = cli(*command, out)
    assert code == 4 and ("No space left" in err or "File too large" in err) and "Traceback" not in err, said + err
    assert len(err.strip().splitlines()) == 1 and "ree space" in err, err
    before = files(out) if out.is_dir() else {name: out.read_bytes()} if out.exists() else {}
    assert not [name for name in before if ".tmp" in name]
    make_room()
    code, said, err = cli(*command, out)
    assert code in (0, 5), said + err
    after = files(out) if out.is_dir() else {name: out.read_bytes()}
    final = {name: data for name, data in before.items() if ".arriving/" not in name and name != "unfinished"}
    assert after and final.items() <= after.items(), "a half file was left"


FILMS = [pytest.param(name, marks=pytest.mark.slow) for name in ("gif", "mp4")]
FORMATS = (*FILMS, "html", "csv", "parquet", "sft", "balrog")


@pytest.mark.parametrize("left", SIZES)
@pytest.mark.parametrize("format_", FORMATS)
def test_export(cli, small_disk, recorded, format_, left):  # noqa: F811
    if format_ == "parquet":
        pytest.importorskip("pyarrow")
    if left and format_ in ("csv", "parquet", "balrog"):
        left = 0 if format_ in ("parquet", "balrog") else 4_096
    check(cli, small_disk, ["export", str(recorded), "--format", format_, "--out"], left)


@pytest.mark.parametrize("left", SIZES)
def test_report(cli, small_disk, recorded, left):  # noqa: F811
    check(cli, small_disk, ["report", str(recorded), "--out"], left, "report.html")


@pytest.mark.parametrize("left", SIZES)
def test_report_with_pages(cli, small_disk, recorded, left):  # noqa: F811
    check(cli, small_disk, ["report", str(recorded), "--pages", "--out"], left, "report.html")


@pytest.mark.parametrize("left", SIZES)
def test_leaderboard(cli, small_disk, recorded, left):  # noqa: F811
    check(cli, small_disk, ["leaderboard", str(recorded), "--out"], left)


@pytest.mark.parametrize("left", SIZES)
def test_merge(cli, small_disk, recorded, left):  # noqa: F811
    check(cli, small_disk, ["merge", str(recorded), "--out"], left)


@pytest.mark.parametrize("left", SIZES)
def test_import(cli, small_disk, balrog_data, left):  # noqa: F811
    source = next(p.parent for p in sorted(balrog_data.rglob("summary.json")))
    check(cli, small_disk, ["import", "balrog", str(source), "--out"], left)


def test_show_picture(cli, small_disk):  # noqa: F811
    check(cli, small_disk, ["show", "crafter", "--picture"], 0, "picture.png")


@pytest.mark.parametrize("left", SIZES)
def test_data_codalm(cli, small_disk, left):  # noqa: F811
    check(cli, small_disk, ["data", "codalm", "--more", "1", "--out"], left)


def test_votes(small_disk):
    from embodied.console.arena.votes import Vote, Votes
    from embodied.errors import StoreError

    fill, make_room = small_disk
    votes = Votes(fill(4_096) / "votes.jsonl")
    vote = Vote(
        "2026-01-01T00:00:00+00:00", ("a" * 64, "b" * 64), ("left", "right"), ("e1", "e2"), "babyai", "goto", "left"
    )
    written = 0
    with pytest.raises(StoreError, match="Free space"):
        for _ in range(1_000):
            votes.append(vote)
            written += 1
    assert written and votes.read() == ([vote] * written, 0)
    make_room()
    votes.append(vote)
    assert votes.read() == ([vote] * (written + 1), 0)


def test_ratings_of_a_judge(small_disk):
    from embodied.errors import StoreError
    from embodied.exchange.codalm.judging import Rating, Ratings

    fill, make_room = small_disk
    path = fill(4_096) / "ratings.jsonl"
    ratings = Ratings(path, "judged-v1")
    written = 0
    with pytest.raises(StoreError, match="Free space"):
        for number in range(1_000):
            ratings.append(Rating("judged-v1", "general_perception", f"scene-{number}", "", "digest", "judged", 5.0))
            written += 1
    assert written and path.read_bytes().count(b"\n") == written and path.read_bytes().endswith(b"\n")
    make_room()
    ratings.append(Rating("judged-v1", "general_perception", "last", "", "digest", "judged", 5.0))
    assert len(Ratings(path, "judged-v1").by_key) == written + 1
