"""GGUF to a transformers model folder, once, in the user's cache."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import shutil
import tempfile
from pathlib import Path

import torch
import transformers

from embodied.errors import UsageError

_END = 1 << 20
"""Bytes read from each end of a GGUF file to recognise it: its metadata and its last weights."""

log = logging.getLogger(__name__)


def converted(file: Path) -> Path:
    """The folder with the weights and the tokenizer of a GGUF file:
    `$XDG_CACHE_HOME/embodied/gguf/<name>-<fingerprint>`.

    Converting takes a while (half a minute of CPU for 135 million parameters) and happens once. A folder is either
    whole or not there: it is made under another name and renamed.

    Raises:
        UsageError: transformers cannot read the file, or the cache cannot be written.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "embodied" / "gguf"
    folder = cache / f"{file.stem}-{_fingerprint(file)}"
    if folder.is_dir():
        return folder
    log.info("Converting %s for transformers, once, into %s", file.name, folder)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".converting-", dir=cache) as place:
            _convert(file, Path(place) / "model")
            _publish(Path(place) / "model", folder)
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise UsageError(
            f"The cache {cache} cannot be written ({error.strerror}). Set XDG_CACHE_HOME to a folder that can."
        ) from error
    return folder


def _publish(made: Path, folder: Path) -> None:
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(made)  # another process was quicker; its folder is as good


def _convert(file: Path, folder: Path) -> None:
    where, name = str(file.parent), file.name
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(where, gguf_file=name, local_files_only=True)
        # Without `dequantize` the weights load, but cannot be saved.
        recipe = transformers.GgufConfig(gguf_file=name, dequantize=True)
        with contextlib.redirect_stderr(io.StringIO()):  # a progress bar that cannot be switched off
            model = transformers.AutoModelForCausalLM.from_pretrained(
                where, gguf_file=name, dtype=torch.bfloat16, quantization_config=recipe, local_files_only=True
            )
    except (ValueError, KeyError, NotImplementedError) as error:
        raise UsageError(f"transformers cannot read {file} ({error}). The gguf engine may: use gguf/{file}.") from error
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _fingerprint(file: Path) -> str:
    """Recognises a file by its size and both ends, without reading gigabytes."""
    size = file.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as stream:
        digest.update(stream.read(_END))
        stream.seek(max(0, size - _END))
        digest.update(stream.read())
    return digest.hexdigest()[:16]
