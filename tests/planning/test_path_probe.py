"""Probes of encoders: what they find where it is, what they do not find where it is not, and that maps are held out."""

from __future__ import annotations

import json

import numpy as np
import pytest

from embodied.cli import main
from embodied.errors import UnknownName, UsageError
from embodied.planning import encoders
from embodied.planning.descriptors import DESCRIPTORS
from embodied.planning.items import embedded
from embodied.planning.probe import Panels, auc, folds_of, probe, r2, ridge

LENGTH = 3


@pytest.fixture(scope="module")
def panels() -> Panels:
    return Panels(embedded("test").pairs)


class Carries:
    """Features that hold one descriptor among noise, and remember what they were trained on."""

    name = "synthetic"

    def __init__(self, descriptor: int | None):
        self.descriptor = descriptor
        self.trains: list[np.ndarray] = []

    def features(self, panels, train):
        self.trains.append(train)
        found = np.random.default_rng(1).normal(size=(len(panels), 12))
        if self.descriptor is not None:
            found[:, 0] = panels.descriptors()[:, self.descriptor]
        return found


def test_what_is_carried_is_found_and_what_is_not_is_not(panels):
    rows = probe(Carries(LENGTH), panels)
    length = rows[LENGTH]
    assert length.descriptor == "path length" and length.differing >= 30
    assert length.differs.value > 0.97 and length.more.value > 0.99
    assert length.size.value > 0.95 and length.value.value > 0.99
    assert length.differs.low <= length.differs.value <= length.differs.high
    for row in probe(Carries(None), panels):
        for found in (row.differs, row.more):
            assert found is None or abs(found.value - 0.5) < 0.2
        assert row.size.value < 0.05 and row.value.value < 0.05
    nothing = probe(Carries(None), panels)
    assert np.mean([r.differs.value for r in nothing if r.differs]) == pytest.approx(0.5, abs=0.08)


def test_no_map_is_on_both_sides(panels):
    encoder = Carries(None)
    probe(encoder, panels, folds=4)
    maps = [pair.map for pair in panels.pairs]
    held = []
    for train in encoder.trains:
        test = np.setdiff1d(np.arange(len(maps)), train)
        assert len(test) and not {maps[k] for k in train} & {maps[k] for k in test}
        held += test.tolist()
    assert sorted(held) == list(range(len(maps)))  # each pair is held out once
    assert (folds_of(panels.pairs, 4, 0) == folds_of(panels.pairs, 4, 0)).all() and (
        folds_of(panels.pairs, 4, 0) != folds_of(panels.pairs, 4, 1)
    ).any()


def test_an_encoder_that_knows_the_map_by_heart_gains_nothing(panels):
    class ByHeart(Carries):
        def features(self, panels, train):
            keys = sorted({p.map for p in panels.pairs})
            found = np.zeros((len(panels), len(keys)))
            for k, pair in enumerate(panels.pairs):
                found[2 * k : 2 * k + 2, keys.index(pair.map)] = 1
            return found

    assert all(row.value.value < 0.01 for row in probe(ByHeart(None), panels))


def test_ridge_is_least_squares_where_there_is_little_noise_and_shrinks_where_there_is_only_noise():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5))
    w = np.array([[1.0], [-2], [0], [3], [0.5]])
    assert ridge(x, x @ w + 4, x[:10]) == pytest.approx(x[:10] @ w + 4, abs=1e-2)
    wide, noise = rng.normal(size=(50, 400)), rng.normal(size=(50, 1))
    assert np.abs(ridge(wide, noise, rng.normal(size=(20, 400))) - noise.mean()).max() < 1
    constant = np.ones((50, 3))
    assert ridge(constant, noise, constant[:2]) == pytest.approx(noise.mean())


def test_auc_and_r2_are_what_they_are_called():
    draws, fold = np.ones((3, 40)), np.zeros(40, dtype=int)
    positive = np.arange(40) >= 20
    assert (
        auc(np.arange(40.0), positive, fold, draws).value == 1
        and auc(-np.arange(40.0), positive, fold, draws).value == 0
    )
    assert auc(np.zeros(40), positive, fold, draws).value == 0.5
    # Scales of their own: the second fold's scores are all above the first's.
    assert (
        auc(
            np.where(np.arange(40) % 2, np.arange(40.0), 1000 + np.arange(40)), positive, np.arange(40) % 2, draws
        ).value
        == 1
    )
    assert auc(np.arange(40.0), np.arange(40) < 5, fold, draws) is None
    values = np.arange(40.0)
    assert (
        r2(values, values, np.full(40, values.mean()), draws).value == 1
        and r2(np.full(40, 3.0), values, np.full(40, 3.0), draws).value == 0
    )


def test_the_controls_run_and_are_repeatable():
    panels = Panels(embedded("dev").pairs[:14])
    for name in encoders.CONTROLS:
        one, again = (encoders.encoder(name).features(panels, np.arange(8)) for _ in range(2))
        assert one.shape[0] == 28 and np.array_equal(one, again)
    pca = encoders.RawPca()
    # learnt of the training panels alone
    assert not np.allclose(pca.features(panels, np.arange(8)), pca.features(panels, np.arange(4, 12))[:, : 2 * 8])


def test_a_model_of_the_user_is_read_from_its_folder_and_can_be_tuned(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8
    )
    transformers.ViTModel(config, add_pooling_layer=False).save_pretrained(tmp_path / "tiny")
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path / "tiny")
    panels = Panels(embedded("dev").pairs[:10])
    train = np.arange(6)
    frozen = encoders.encoder(str(tmp_path / "tiny")).features(panels, train)
    tuned = encoders.encoder(str(tmp_path / "tiny"), tune=1)
    assert frozen.shape == (20, 32) and tuned.name == "tiny, tuned for 1 epochs"
    first, second = tuned.features(panels, train), tuned.features(panels, train)
    assert np.array_equal(first, second) and not np.allclose(first, frozen)


def test_bad_names_and_numbers_are_said(panels, tmp_path, monkeypatch):
    with pytest.raises(UnknownName, match="'random-vit'"):
        encoders.encoder("random-vitt")
    with pytest.raises(UsageError, match="nothing to tune"):
        encoders.encoder("raw-pca", tune=2)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError, match="nothing is downloaded"):
        encoders.encoder("nobody/has-this-encoder")
    with pytest.raises(UsageError, match="number of maps"):
        folds_of(panels.pairs[:3], 10, 0)


def test_the_command_prints_tables_and_json(capsys):
    with pytest.raises(SystemExit) as done:
        main(["probe", "patheval", "--maps", "12", "--folds", "3", "--split", "dev", "--json"])
    body = json.loads(capsys.readouterr().out)
    assert done.value.code == 0 and body["maps"] == 12 and "never seen a picture" in body["meaning"]["random-vit"]
    assert (
        len(body["rows"]) == 3 * len(DESCRIPTORS)
        and {"encoder", "descriptor", "differs", "size", "more", "value"} <= body["rows"][0].keys()
    )
    with pytest.raises(SystemExit):
        main(["probe", "patheval", "--tune", "3"])
    assert "--encoder" in capsys.readouterr().err
