"""`embodied data codalm`: procedural scenes as files in CODA-LM's layout, read back, and never
taken for the real ones.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from embodied.driving import schema
from embodied.driving.codalm import load
from embodied.driving.facts import SceneFacts
from embodied.driving.scene import sets
from embodied.driving.scene.spec import decode
from embodied.errors import UsageError


def test_one_pair_by_seed_is_written_and_read_back(call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBODIED_CACHE", str(tmp_path / "cache"))
    code, out, _ = call("data", "codalm", "--out", "set", "--more", 1, "--seed", 4)
    assert code == 0 and "2 scenes of codalm-procedural" in out
    folder = tmp_path / "set"
    specs = decode((folder / "specs.json").read_bytes())
    known = msgspec.json.decode((folder / "facts.json").read_bytes(), type=tuple[SceneFacts, ...])
    assert specs == sets.more(1, 4) and [f.image for f in known] == [s.name for s in specs]
    questions = [json.loads(line) for line in (folder / "vqa_anno/region_perception.jsonl").read_text().splitlines()]
    for spec in specs:
        scene = sets.scene_of(spec)
        assert (
            schema.decode((folder / f"CODA-LM/Procedural/{spec.name}.json").read_bytes(), spec.name) == scene.annotation
        )
        with Image.open(folder / f"procedural/images/{spec.name}.jpg") as picture:
            assert picture.size == (1280, 720)
        assert sum(spec.name in q["image"] for q in questions) == len(scene.annotation.regions)
    assert all((folder / q["image"]).is_file() for q in questions)
    with pytest.raises(UsageError, match="is not CODA-LM's folder"):
        load.load(folder, "test")
    code, _, err = call("data", "codalm", "--out", "set", "--more", 1)
    assert code == 2 and "holds something" in err
