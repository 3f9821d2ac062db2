"""What a person changes about corrections afterwards: the record stays, and a stranger's journal harms nobody."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import embodied
from embodied.blobs import put_frame
from embodied.errors import StoreError, UsageError
from embodied.rollout.identity import difference
from embodied.store.amendments import NAME, amend, corrections_of
from embodied.store.events import corrections
from embodied.store.merge import merge
from embodied.store.run import Run
from embodied.types import Correction, Decision, Observation, Takeover
from tests.eval.runs import MISSION, ended, finish, make_run, spec, step


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "corrected"
    embodied.evaluate("babyai", "random", task="goto", episodes=2, steps=30, split="train", corrector="oracle", out=out)
    return out


@pytest.fixture
def run(recorded, tmp_path) -> Run:
    shutil.copytree(recorded, tmp_path / "run")
    return Run(tmp_path / "run")


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != NAME
    }


def test_all_corrections_are_listed_with_both_decisions(run):
    found = corrections_of(run)
    said = [(s.id, c.id, c.text) for s in run.record.planned for c in corrections(run.steps(s.id))]
    assert [(a.episode, a.id, a.text) for a in found] == said != []
    assert all(a.event.superseded.action != a.step.executed == a.event.resolved for a in found)
    assert not any(a.edited or a.excluded or a.by for a in found)


def test_a_change_stands_beside_the_record_and_the_last_one_counts(run):
    before, (first, second, *_) = digests(run.root), corrections_of(run)
    amend(run, first.episode, first.id, text="  turn left  ", by="anna")
    amend(run, "0", first.id, excluded=True, by="ben")
    amend(run, first.episode, first.id, text="turn right, please", by="anna")
    amend(run, second.episode, second.id, excluded=True, by="anna")
    amend(run, second.episode, second.id, excluded=False, by="ben")
    now = corrections_of(Run(run.root))
    assert (now[0].text, now[0].excluded, now[0].edited, now[0].by) == ("turn right, please", True, True, "anna")
    assert now[0].event == first.event, "what was said stays known"
    assert (now[1].text, now[1].excluded, now[1].by) == (second.text, False, "ben")
    assert digests(run.root) == before
    assert len((run.root / NAME).read_bytes().splitlines()) == 5
    amend(run, first.episode, first.id, text=first.text, by="anna")
    assert not corrections_of(run)[0].edited


def test_what_is_so_already_is_not_written(run):
    first = corrections_of(run)[0]
    amend(run, first.episode, first.id, text=first.text, excluded=False, by="anna")
    assert not (run.root / NAME).exists()


@pytest.mark.parametrize(
    ("id_", "change", "sentence"),
    [
        ("99-1", {"excluded": True}, "has no correction '99-1' in the episode"),
        ("x" * 10_000, {"excluded": True}, "has no correction"),
        (None, {"text": "   "}, "An empty correction says nothing"),
        (None, {"text": "x" * 2_001}, "has 2,001 characters; 2,000 is the most"),
        (None, {"text": "a\x1b[31mb"}, "control characters"),
        (None, {"text": "go", "by": ""}, "Who makes the change"),
        (None, {"text": "go", "by": "a\nb"}, "Who makes the change"),
    ],
)
def test_what_cannot_be_changed_is_one_sentence(run, id_, change, sentence):
    first = corrections_of(run)[0]
    with pytest.raises(UsageError, match=sentence) as error:
        amend(run, first.episode, id_ or first.id, **{"by": "anna", **change})
    assert len(str(error.value)) < 600 and not (run.root / NAME).exists()


def test_an_unknown_episode_is_one_sentence(run):
    with pytest.raises(StoreError, match="no episode named 'nowhere'"):
        amend(run, "nowhere", "0-1", excluded=True, by="anna")


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"\xff\xfe",
        b"[" * 100_000,
        b"{}",
        b'{"episode": 1, "id": [], "said": "", "by": ""}',
        b'{"episode":"E","id":"0-1","said":"S","by":"two\\nlines","text":"go"}',
        b'{"episode":"E","id":"0-1","said":"S","by":"b","text":" "}',
        b'{"episode":"E","id":"0-1","said":"S","by":"b","excluded":"yes"}',
        b'{"episode":"E","id":"0-1","said":"S","by":"b","text":"\\ud800"}',
    ],
    ids=lambda line: str(line[:40]),
)
def test_damaged_lines_are_skipped_and_counted(run, line):
    first = corrections_of(run)[0]
    amend(run, first.episode, first.id, excluded=True, by="anna")
    good = (run.root / NAME).read_bytes()
    line = line.replace(b'"E"', json.dumps(first.episode).encode()).replace(b'"S"', json.dumps(first.text).encode())
    (run.root / NAME).write_bytes(line + b"\n" + good + b'{"episode":"torn')
    damaged: list[str] = []
    assert corrections_of(run, damaged)[0].excluded
    assert len(damaged) == 1 and "line 1, is damaged" in damaged[0]
    amend(run, first.episode, first.id, excluded=False, by="anna")  # on a line of its own, behind the torn one
    damaged.clear()
    assert not corrections_of(run, damaged)[0].excluded and len(damaged) == 2


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_nothing_is_read_or_written_through_something_else(run, tmp_path, kind):
    path, victim = run.root / NAME, tmp_path / "victim"
    victim.write_text("")
    {"link": lambda: path.symlink_to(victim), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[kind]()
    with pytest.raises(StoreError, match="not a plain file"):
        corrections_of(run)
    with pytest.raises(StoreError, match="not a plain file"):
        amend(run, "0", "0-1", excluded=True, by="anna")
    assert victim.read_text() == ""


def test_a_huge_journal_is_refused(run):
    with (run.root / NAME).open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(StoreError, match="a file of its kind has at most"):
        corrections_of(run)


def with_takeover(root: Path) -> Run:
    """An episode with a correction that lasts, a takeover, and words that came too late; with pictures."""
    run = make_run(root, {})
    images = [put_frame(run.blobs, np.full((8, 8, 3), shade, np.uint8)) for shade in (0, 80, 160, 240)]
    seen = [Observation(f"room {i}", image=image, step=i) for i, image in enumerate(images)]
    words = Correction(text="go", how="typed", by="person 1", id="0-c1", applied=0, lasts=2, status="applied")
    over = replace_event(words, ended=1, why="time-out", status="committed")
    steps = [
        replace(step(0, "go", observation=seen[0], calls=()), events=(words,)),
        replace(step(1, "wait", observation=seen[1], calls=()), events=(over,)),
        replace(
            step(2, "go", observation=seen[2], calls=(), last=True),
            events=(Takeover(by="person 1", action="go", superseded=Decision("wait")),),
        ),
    ]
    late = Correction(text="stop", how="typed", by="person 1", id="3-c2", opened=3, ended=2, status="discarded")
    episode = replace(ended(spec("a", "t", 1, 0), 1.0, steps=3, mission=MISSION, last=seen[3]), events=(late,))
    run = Run.create(run.root, replace(run.record, planned=(episode.spec,)))
    finish(run, episode, steps)
    return run


def replace_event(event, **changes):
    import msgspec

    return msgspec.structs.replace(event, **changes)


def test_takeovers_and_late_words_are_listed_with_their_pictures(tmp_path):
    run = with_takeover(tmp_path / "run")
    spoken, taken, late = corrections_of(run)
    assert (spoken.id, spoken.event.status, spoken.place) == ("0-c1", "committed", 0)
    assert (taken.id, taken.text, taken.said, taken.place) == ("2-takeover", "", "go", 2)
    assert (late.id, late.step, late.event.status) == ("3-c2", None, "discarded")
    shown = [step.observation.image.digest for step in run.steps(spoken.episode)]
    last = run.episode(spoken.episode).last.image.digest
    assert (spoken.before, spoken.after) == ((shown[0],), (shown[1],))
    assert (taken.before, taken.after) == ((shown[2],), (last,))
    assert (late.before, late.after) == ((last,), ())
    with pytest.raises(UsageError, match="is a takeover"):
        amend(run, taken.episode, taken.id, text="stop", by="anna")
    assert amend(run, taken.episode, taken.id, excluded=True, by="anna").excluded
    assert [a.excluded for a in corrections_of(run)] == [False, True, False]


def test_a_change_is_not_about_what_was_said_when_the_episode_was_played_again(tmp_path):
    run = with_takeover(tmp_path / "run")
    first = corrections_of(run)[0]
    amend(run, first.episode, first.id, excluded=True, by="anna")
    path = run.folder(first.episode) / "steps.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"text":"go","how"', b'"text":"wait","how"'))
    assert [a.excluded for a in corrections_of(run)] == [False, False, False]


def test_merging_brings_changes_along(run, tmp_path):
    first = corrections_of(run)[0]
    amend(run, first.episode, first.id, text="turn round", excluded=True, by="anna")
    for _ in range(2):
        merged = merge([run], tmp_path / "merged", difference)
        assert [(a.text, a.excluded) for a in corrections_of(merged)] == [
            (a.text, a.excluded) for a in corrections_of(run)
        ]
    assert len((merged.root / NAME).read_bytes().splitlines()) == 1
