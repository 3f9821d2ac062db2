"""Local models in this process, through Hugging Face transformers: text, and text with images; CPU or CUDA."""

from __future__ import annotations

import io
import os
import random
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when huggingface_hub is imported: nothing is ever downloaded

import jinja2
import torch
import transformers
from PIL import Image as Pillow
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from embodied.blobs import Blobs
from embodied.errors import ModelRefused, UsageError
from embodied.models.config import ModelConfig
from embodied.models.convert import converted
from embodied.models.decoding import Choose, Finish, Row
from embodied.models.weights import EMBEDDED, check_gguf, embedded
from embodied.models.wire import MAX_TEXT, alternate, has_images, plain, split_system, split_thoughts, storable
from embodied.models.worker import Worker
from embodied.types import Image, Message, Reply, Settings, Text, Usage

DEFAULT_MAX_TOKENS = 1024
"""Where no limit is given: small models may never end on their own."""

Request = tuple[Sequence[Message], Settings]


class Transformers:
    """A model folder, a GGUF file (converted once), or a model in the local Hugging Face cache, with its own chat template.

    One model, shared by all callers, which it serves one after another; `generate_batch` answers several requests together. Without a seed, 0 is
    taken; without a temperature, what the model's own generation config says. A row's random stream depends on its seed alone, not on the batch.
    """

    def __init__(self, config: ModelConfig, blobs: Blobs):
        self.name = f"transformers/{config.name}"
        self._blobs = blobs
        self._logprobs = config.logprobs
        self._device = _device(config.device)
        if config.threads:
            torch.set_num_threads(config.threads)
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        source = _source(config)
        self._model: Any
        self._model, self._processor = _load(self.name, source, _dtype(config.dtype, self._device), self._device)
        self._tokenizer = getattr(self._processor, "tokenizer", self._processor)
        self._sees = self._tokenizer is not self._processor
        self._tokenizer.padding_side = "left"  # the next token follows the last of every row
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        if getattr(self._processor, "chat_template", None) is None:
            raise UsageError(f"{self.name}: {source} has no chat template, so it is no instruction model.")
        self._context = config.context or getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        self._ends = _ends(self._model, self._tokenizer)
        self._worker = Worker(self.name, config.timeout)

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        return (await self._worker.run(lambda halt: self.generate_batch([(messages, settings)], halt)))[0]

    async def aclose(self) -> None:
        self._worker.close()
        self._model = None  # frees the weights

    def generate_batch(self, requests: Sequence[Request], halt: Callable[[], bool] = lambda: False) -> list[Reply]:
        """Answers several requests together, in the calling thread. Not for several threads at once.

        Args:
            requests: Messages and settings of each.
            halt: Asked after every token; when it returns True the replies end where they are.

        Raises:
            ModelRefused: A prompt is too long, holds images that the model cannot read, or does not fit the chat template.
        """
        start = time.monotonic()
        inputs = self._inputs([messages for messages, _ in requests])
        room = self._room(inputs["input_ids"].shape[1])
        rows = [self._row(settings, room) for _, settings in requests]
        padding = self._tokenizer.pad_token_id
        options = transformers.GenerationConfig(
            do_sample=False, max_new_tokens=max(r.max_tokens for r in rows), pad_token_id=padding, eos_token_id=sorted(self._ends)
        )
        with torch.inference_mode():
            self._model.generate(
                **inputs,
                generation_config=options,
                logits_processor=transformers.LogitsProcessorList([Choose(rows, self._ends, padding, self._logprobs)]),
                stopping_criteria=transformers.StoppingCriteriaList([Finish(rows, self._tokenizer, halt)]),
            )
        asked = inputs["attention_mask"].sum(dim=1).tolist()
        return [self._reply(row, count, time.monotonic() - start) for row, count in zip(rows, asked, strict=True)]

    def _inputs(self, prompts: Sequence[Sequence[Message]]) -> dict[str, torch.Tensor]:
        """Tensors of shape (rows, tokens), and pixels where there are images, on the model's device."""
        if not self._sees and any(has_images(messages) for messages in prompts):
            raise ModelRefused(f"{self.name} reads no images. Play with --text, or use a model that does.")
        texts = [self._render(messages) for messages in prompts]
        images = [[self._image(p) for m in messages for p in m.parts if isinstance(p, Image)] for messages in prompts]
        given = {"images": images} if any(images) else {}
        inputs = self._processor(text=texts, padding=True, return_tensors="pt", add_special_tokens=False, **given)
        return {name: t.to(self._device, self._model.dtype if t.is_floating_point() else t.dtype) for name, t in inputs.items()}

    def _image(self, image: Image) -> Pillow.Image:
        return Pillow.open(io.BytesIO(self._blobs.get(image.digest))).convert("RGB")

    def _render(self, messages: Sequence[Message]) -> str:
        """The prompt as the model's chat template writes it; the system message becomes part of the first turn where the template knows none."""
        try:
            return self._apply(alternate(messages))
        except jinja2.TemplateError:
            system, turns = split_system(messages)
        try:
            return self._apply(alternate([Message("user", system), *turns]))
        except jinja2.TemplateError as error:
            raise ModelRefused(f"{self.name}: its chat template refuses these messages ({error}).") from error

    def _apply(self, turns: Sequence[Message]) -> str:
        chat = [{"role": m.role, "content": self._content(m)} for m in turns]
        return self._processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)

    def _content(self, message: Message) -> str | list[dict[str, Any]]:
        if not self._sees:
            return plain(message.parts)
        return [{"type": "text", "text": storable(p.text)} if isinstance(p, Text) else {"type": "image"} for p in message.parts]

    def _room(self, length: int) -> int | None:
        """Tokens left for the reply after a prompt of `length`; None without a limit."""
        if self._context is None:
            return None
        if length >= self._context:
            raise ModelRefused(f"{self.name}: a prompt of {length} tokens does not fit its context of {self._context}. Shorten the history.")
        return self._context - length

    def _row(self, settings: Settings, room: int | None) -> Row:
        own = self._model.generation_config
        own = own if own.do_sample else transformers.GenerationConfig()
        sampled = own.temperature if own.temperature is not None else 1.0 if own.do_sample else 0.0
        limit = settings.max_tokens or DEFAULT_MAX_TOKENS
        return Row(
            temperature=settings.temperature if settings.temperature is not None else sampled,
            top_p=settings.top_p or own.top_p or 1.0,
            top_k=own.top_k or 0,
            max_tokens=min(limit, room) if room else limit,
            stop=settings.stop,
            random=random.Random(settings.seed or 0),
        )

    def _reply(self, row: Row, asked: int, seconds: float) -> Reply:
        text = self._tokenizer.decode([t for t in row.tokens if t not in self._ends], skip_special_tokens=True)
        cut = min((at for stop in row.stop if (at := text.find(stop)) >= 0), default=len(text))
        thoughts, text = split_thoughts(text[:cut])
        return Reply(
            text=storable(text.strip())[:MAX_TEXT],
            reasoning=storable(thoughts)[:MAX_TEXT],
            usage=Usage(input=asked, output=len(row.tokens)),
            stop=row.ended or "stop",
            model=self.name.partition("/")[2],
            seconds=seconds,
            token_ids=tuple(row.tokens) if self._logprobs else None,
            logprobs=tuple(row.logprobs) if self._logprobs else None,
        )


def _source(config: ModelConfig) -> str:
    """A model folder, or a name in the local Hugging Face cache."""
    if not config.path and config.name == EMBEDDED:
        return str(converted(embedded()))
    place = Path(config.path or config.name).expanduser()
    if place.suffix == ".gguf":
        return str(converted(check_gguf(place, f"transformers/{config.name}")))
    if config.path and not place.is_dir():
        raise UsageError(f"transformers/{config.name}: there is no folder {place}. Give a model folder or a GGUF file with model.path.")
    return str(place) if place.is_dir() else config.name


def _load(name: str, source: str, dtype: torch.dtype, device: torch.device) -> tuple[Any, Any]:
    """The model, and its processor (with images) or tokenizer (without)."""
    try:
        sees = transformers.AutoConfig.from_pretrained(source, local_files_only=True).model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
        auto = transformers.AutoModelForImageTextToText if sees else transformers.AutoModelForCausalLM
        reader = transformers.AutoProcessor if sees else transformers.AutoTokenizer
        model = auto.from_pretrained(source, dtype=dtype, local_files_only=True)
        return model.to(device).eval(), reader.from_pretrained(source, local_files_only=True)
    except ImportError as error:
        raise UsageError(f"{name}: loading {source} needs a library that is not installed: {_first(error)}") from error
    except (OSError, ValueError, KeyError) as error:
        hint = "" if Path(source).is_dir() else " Nothing is downloaded: give a model folder with model.path, or fetch the model into the local cache before."
        raise UsageError(f"{name}: {source} cannot be loaded ({_first(error)}).{hint}") from error


def _first(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end a reply."""
    own = model.generation_config.eos_token_id
    own = own if isinstance(own, list) else [own]
    return frozenset(token for token in (*own, tokenizer.eos_token_id) if token is not None)


def _device(name: str) -> torch.device:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise UsageError(f"model.device={name!r} is not one of auto, cpu, cuda, cuda:N.")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and int(name.partition(":")[2] or 0) >= torch.cuda.device_count():
        raise UsageError(f"model.device={name}: PyTorch sees {torch.cuda.device_count()} CUDA devices here. Use model.device=cpu.")
    return torch.device(name)


def _dtype(name: str, device: torch.device) -> torch.dtype:
    # bfloat16 is slower than float32 on CPUs without its instructions.
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    if name not in known:
        raise UsageError(f"model.dtype={name!r} is not one of auto, {', '.join(known)}.")
    return known[name]
