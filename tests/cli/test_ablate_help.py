"""`embodied ablate --corrector`: what words are worth, in columns of the same episodes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from embodied.store.run import Run

GOTO = ("--env", "babyai", "--task", "goto", "--agent", "random")
SMALL = ("--episodes", 2, "--steps", 12, "run.workers=1")
HELP = (*GOTO, *SMALL, "--corrector", "oracle", "--also", "silence=0.5", "--also", "corrector.wrong=0.2")


def test_the_columns_are_paired_and_continue(call, tmp_path):
    code, out, err = call("ablate", *HELP, "--out", "out", "--json")
    assert code == 0, err
    whole = json.loads(out)
    names = ["alone", "corrected", "silence=0.5", "wrong=0.2", "expert alone"]
    columns = {c["name"]: c for c in whole["columns"]}
    rows = {r["condition"]: r for r in whole["rows"]}
    assert list(columns) == list(rows) == names
    assert all(row["pairs"] == 2 for row in list(rows.values())[1:])
    assert rows["corrected"]["score"] == rows["expert alone"]["score"] == 1.0 > rows["alone"]["score"]
    assert columns["alone"]["corrections"] == columns["expert alone"]["corrections"] == 0
    corrected = columns["corrected"]
    assert corrected["corrections_an_episode"] == corrected["corrections"] / 2 > 0
    assert corrected["followed"] == corrected["corrections"]
    seeds = [[s.seed for s in Run(Path(c["runs"][0])).record.planned] for c in columns.values()]
    assert all(found == seeds[0] for found in seeds)
    helped = {name: Run(Path(c["runs"][0])).record.config["corrector"] for name, c in columns.items()}
    assert [helped[n]["name"] for n in names] == ["", "oracle", "oracle", "oracle", ""]
    assert (helped["silence=0.5"]["silence"], helped["wrong=0.2"]["wrong"]) == (0.5, 0.2)
    (folder,) = [p for p in (tmp_path / "out/corrected/episodes").iterdir() if p.name.split("-")[-2] == "000"]
    (folder / "episode.json").unlink()
    steps = (folder / "steps.jsonl").read_text().splitlines(keepends=True)
    (folder / "steps.jsonl").write_text("".join(steps[:1]))
    code, table, _ = call("ablate", *HELP, "--out", "out")
    assert code == 0 and "2 episodes were already in out/alone" in table
    assert call("ablate", *HELP, "--out", "out", "--json")[1] == out
    head = next(line for line in table.splitlines() if line.startswith("progress "))
    assert [head.index(name) for name in names] == sorted(head.index(name) for name in names)
    assert "corrections an episode" in table and "corrected (oracle)" in table


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--env", "nethack", "--agent", "random", "--corrector", "orakel"), "orakel"),
        ((*GOTO, "--also", "silence=0.5"), "add --corrector"),
        ((*GOTO, "--corrector", "oracle", "--also", "silent=0.5"), "silent"),
        ((*GOTO, "--corrector", "oracle", "corrector.name=critic"), "leave out corrector.name=critic"),
        ((*GOTO, "--corrector", "desk"), "name another --corrector"),
        (("--env", "gym:CartPole-v1", "--agent", "random", "--corrector", "oracle"), "has no expert"),
        (("--env", "babyai", "--agent", "expert", "--corrector", "oracle"), "The agent expert plays already"),
    ],
)
def test_what_makes_no_sense_is_one_sentence_and_plays_nothing(call, tmp_path, words, said):
    code, _, err = call("ablate", *words)
    assert code != 0 and said in err and len(err.splitlines()) == 1, err
    assert not list(tmp_path.iterdir())
