"""Local models in this process, through Hugging Face transformers: text, and text with images; CPU or CUDA."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from PIL import Image as Pillow

from embodied.blobs import Blobs
from embodied.errors import ModelFailure, PromptRefused, PromptTooLong, UsageError
from embodied.models.base import choices_of
from embodied.models.config import ModelConfig
from embodied.models.local.batcher import Batcher
from embodied.models.local.decoding import Choose, Ending, Finish, Row
from embodied.models.local.likelihood import Answers, Weights, noted, spell, take
from embodied.models.local.loading import device_of, dtype_of, ends, load, source_of
from embodied.models.local.packed import Packed, packable
from embodied.models.local.prefixes import Prefixes
from embodied.models.local.prompts import Prompts
from embodied.models.local.whole import weigh_whole
from embodied.models.local.worker import EngineThread
from embodied.models.services.wire import MAX_TEXT, split_thoughts, storable
from embodied.types import Message, Reply, Settings, Usage

DEFAULT_MAX_TOKENS = 1024
"""Where no limit is given: small models may never end on their own."""

_OPENED = re.compile(r"(<think(ing)?>|\[THINK\]|◁think▷)\s*\Z")
"""A prompt that ends within a thought."""

Request = tuple[Sequence[Message], Settings]


@dataclass
class _Job:
    """A request on its way."""

    text: str
    images: list[Pillow.Image]
    tokens: list[int]
    row: Row
    inputs: Mapping[str, torch.Tensor]
    """What the processor made of this prompt alone."""
    known: int = 0
    """Tokens of the prompt that had been evaluated before."""
    answers: Answers | None = None
    """The only answers that are allowed; None where any text is one."""
    weights: Weights | None = None
    """What the model makes of them."""


class Transformers:
    """A model folder, a GGUF file (converted once), or a model in the local Hugging Face cache, with its own chat
    template.

    One model, shared by all callers; calls are answered in batches (`Batcher`), which wait for every live episode.
    Without a seed, 0 is taken; without a temperature, what the model's own generation config says. A row's random
    stream depends on its seed alone, not on the batch.

    Prompts of text alone are prefilled only where they are new: what was evaluated for earlier prompts is kept
    (`Prefixes`). `Settings.choices` are weighed (`embodied.models.local.likelihood`): nothing is generated, and
    `max_tokens` and `stop` do not apply. Prompts with images, and models whose attention slides or counts positions in
    two dimensions, are evaluated whole.
    """

    chooses = True
    weighs = True

    def __init__(self, config: ModelConfig, blobs: Blobs):
        self.name = f"transformers/{config.name}"
        self._logprobs = config.logprobs
        self._size = config.batch
        self._device = device_of(config.device)
        if config.threads:
            torch.set_num_threads(config.threads)
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        source = source_of(config)
        self._model: Any
        self._model, self._processor = load(self.name, source, dtype_of(config.dtype, self._device), self._device)
        self.prompts = Prompts(self.name, self._processor, blobs)
        self._tokenizer = self.prompts.tokenizer
        self._tokenizer.padding_side = "left"  # the next token follows the last of every row
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        if getattr(self._processor, "chat_template", None) is None:
            raise UsageError(f"{self.name}: {source} has no chat template, so it is not an instruction model.")
        self._context = config.context or getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        self._ending = Ending(ends(self._model, self._tokenizer), self._tokenizer.pad_token_id)
        kept = Prefixes(int(config.prompt_memory * 2**30) if config.reuse_prompt else 0)
        self._packed = (
            Packed(self._model, self._tokenizer, self._ending, self._logprobs, kept) if packable(self._model) else None
        )
        self._worker = EngineThread(self.name, config.timeout)
        self._batcher = Batcher[Request](
            lambda requests: self._worker.run(lambda halt: self.answer(requests, halt)), lambda: self._size
        )

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        return await self._batcher.ask((messages, settings))

    def live(self, episodes: int) -> None:
        """How many episodes are being played: a batch waits for all of them."""
        self._batcher.live(episodes)

    async def aclose(self) -> None:
        self._worker.close()
        self._model = self._packed = None  # frees the weights

    def generate_batch(self, requests: Sequence[Request], halt: Callable[[], bool] = lambda: False) -> list[Reply]:
        """As `answer`, but raises the first error."""
        replies = []
        for answer in self.answer(requests, halt):
            if isinstance(answer, ModelFailure):
                raise answer
            replies.append(answer)
        return replies

    def answer(
        self, requests: Sequence[Request], halt: Callable[[], bool] = lambda: False
    ) -> list[Reply | ModelFailure]:
        """Answers several requests together, in the calling thread. Only one thread may call it at a time. When the
        device's memory is too small, the batch is halved, now and from then on.

        Args:
            requests: Messages and settings of each.
            halt: Asked after every token; when it returns True the replies end where they are.

        Returns:
            For each a reply, or `PromptRefused`: its prompt is too long, holds images that the model cannot read, or
            does not fit the chat template.
        """
        try:
            return self._answered(requests, halt)
        except torch.OutOfMemoryError:
            if self._packed is not None:
                self._packed.prefixes.clear()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        half = len(requests) // 2
        if not half:
            return [PromptTooLong(f"{self.name}: the memory of {self._device} is too small for one prompt.")]
        self._size = min(self._size, half)
        return [*self.answer(requests[:half], halt), *self.answer(requests[half:], halt)]

    def _answered(self, requests: Sequence[Request], halt: Callable[[], bool]) -> list[Reply | ModelFailure]:
        start = time.monotonic()
        jobs = [self._job(*request) for request in requests]
        self._weigh([job for job in jobs if isinstance(job, _Job) and job.answers is not None], halt)
        ready = [job for job in jobs if isinstance(job, _Job) and job.answers is None]
        packed = [job for job in ready if self._packed is not None and not job.images]
        if self._packed is not None and packed:
            known = self._packed.answer([job.tokens for job in packed], [job.row for job in packed], halt)
            for job, count in zip(packed, known, strict=True):
                job.known = count
        self._evaluate_whole([job for job in ready if self._packed is None or job.images], halt)
        seconds = time.monotonic() - start
        return [self._reply(job, seconds) if isinstance(job, _Job) else job for job in jobs]

    def _job(self, messages: Sequence[Message], settings: Settings) -> _Job | PromptRefused:
        """A request, prepared for the model; an error if that is not possible."""
        try:
            self.prompts.check(messages)
            choices = choices_of(settings)
            text = self.prompts.render(messages, thinks=not choices)
            images = self.prompts.images(messages)
            inputs = self.prompts.inputs(text, images)
            tokens = inputs["input_ids"][0].tolist()
            job = _Job(text, images, tokens, self._row(settings, self._room(len(tokens))), inputs)
            if choices:
                self._offer(job, choices)
            return job
        except PromptRefused as error:
            return error

    def _offer(self, job: _Job, choices: tuple[str, ...]) -> None:
        """Spells `choices` behind the prompt of `job`."""
        if _OPENED.search(job.text):
            raise PromptRefused(
                f"{self.name}: its chat template begins every reply with a thought, so no action can be the whole"
                " answer. Play without agent.format=choice.",
                "a setting",
                "agent.format",
            )
        back, spelled = spell(self._tokenizer, job.text, [storable(choice) for choice in choices])
        job.tokens = job.tokens[: len(job.tokens) - back]
        job.answers = Answers.of(choices, spelled)
        self._room(len(job.tokens) + max(job.answers.depths, default=-1) + 1)

    def _weigh(self, jobs: Sequence[_Job], halt: Callable[[], bool]) -> None:
        """Weighs the answers that each job allows, and takes one."""
        packed = [job for job in jobs if self._packed is not None and not job.images]
        if self._packed is not None and packed:
            found = self._packed.weigh(
                [j.tokens for j in packed], [j.row for j in packed], [j.answers for j in packed if j.answers], halt
            )
            for job, (known, weights) in zip(packed, found, strict=False):  # none, when it was told to halt
                job.known, job.weights = known, weights
        for job in jobs:
            if job.answers is not None and (self._packed is None or job.images):
                moved = {name: self._moved(tensor) for name, tensor in job.inputs.items()}
                job.weights = weigh_whole(
                    self._model, moved, len(job.tokens), job.answers, self._ending, self._size, halt
                )

    def _evaluate_whole(self, jobs: Sequence[_Job], halt: Callable[[], bool]) -> None:
        """Answers jobs by transformers' own generation: any model, any input."""
        if not jobs:
            return
        rows = [job.row for job in jobs]
        inputs = jobs[0].inputs if len(jobs) == 1 else self._together(jobs)
        options = transformers.GenerationConfig(
            do_sample=False,
            max_new_tokens=max(r.max_tokens for r in rows),
            pad_token_id=self._ending.padding,
            eos_token_id=sorted(self._ending.tokens),
        )
        with torch.inference_mode():
            self._model.generate(
                **{name: self._moved(tensor) for name, tensor in inputs.items()},
                generation_config=options,
                logits_processor=transformers.LogitsProcessorList([Choose(rows, self._ending, self._logprobs)]),
                stopping_criteria=transformers.StoppingCriteriaList([Finish(rows, self._tokenizer, halt)]),
            )

    def _together(self, jobs: Sequence[_Job]) -> Mapping[str, torch.Tensor]:
        """What the processor makes of several prompts: how it lays out pictures side by side is the model's own."""
        given = {"images": [job.images for job in jobs]} if any(job.images for job in jobs) else {}
        inputs: Mapping[str, torch.Tensor] = self._processor(
            text=[job.text for job in jobs], padding=True, return_tensors="pt", add_special_tokens=False, **given
        )
        return inputs

    def _moved(self, tensor: torch.Tensor) -> torch.Tensor:
        """`tensor` on the model's device; pixels in its type. Pinned memory lets CUDA copy while it computes."""
        tensor = tensor.pin_memory() if self._device.type == "cuda" else tensor
        return tensor.to(
            self._device, self._model.dtype if tensor.is_floating_point() else tensor.dtype, non_blocking=True
        )

    def _room(self, length: int) -> int | None:
        """Tokens left for the reply after a prompt of `length`; None without a limit."""
        if self._context is None:
            return None
        if length >= self._context:
            raise PromptTooLong(
                f"{self.name}: a prompt of {length} tokens does not fit its context of {self._context}."
            )
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

    def _chosen(self, job: _Job, answers: Answers, seconds: float) -> Reply:
        """The reply to a job that allows some answers only."""
        if job.weights is None:  # it was told to halt: this reply is not read
            return Reply("", stop="length")
        number = take(answers, job.weights, job.row)
        return Reply(
            text=answers.texts[number],
            # each token of the answers is evaluated once, and one end of the turn is taken
            usage=Usage(input=len(job.tokens), output=len(answers.tokens) + 1, cached=job.known),
            model=self.name.partition("/")[2],
            seconds=seconds,
            token_ids=tuple(job.row.tokens) if self._logprobs else None,
            logprobs=tuple(job.row.logprobs) if self._logprobs else None,
            weighed=noted(answers, job.weights, number),
        )

    def _reply(self, job: _Job, seconds: float) -> Reply:
        if job.answers is not None:
            return self._chosen(job, job.answers, seconds)
        row = job.row
        text = self._tokenizer.decode([t for t in row.tokens if t not in self._ending.tokens], skip_special_tokens=True)
        cut = min((at for stop in row.stop if (at := text.find(stop)) >= 0), default=len(text))
        thoughts, text = split_thoughts(text[:cut])
        return Reply(
            text=storable(text.strip())[:MAX_TEXT],
            reasoning=storable(thoughts)[:MAX_TEXT],
            usage=Usage(input=len(job.tokens), output=len(row.tokens), cached=job.known),
            stop=row.ended or "stop",
            model=self.name.partition("/")[2],
            seconds=seconds,
            token_ids=tuple(row.tokens) if self._logprobs else None,
            logprobs=tuple(row.logprobs) if self._logprobs else None,
        )
