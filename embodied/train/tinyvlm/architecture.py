"""tinyvlm's parts: LLaVA as transformers has it (Liu et al. 2023, Visual Instruction Tuning, section 4), very small."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import transformers

from embodied.train.tinyvlm import words


@dataclass(frozen=True)
class Shape:
    """How large the parts are."""

    width: int = 64
    layers: int = 3
    heads: int = 4
    inner: int = 128
    """Width within the Llama's feed-forward layers."""
    tower_layers: int = 1
    picture: int = 112
    """Pixels along a side of the square picture that the tower reads; other pictures are scaled."""
    patch: int = 16
    """Pixels along a side of a patch: one token each."""
    past: int = 20
    """Actions of the episode so far that a prompt holds. With 6 of them the agent forgot what it was about."""
    reads_goals: bool = True
    """Whether a prompt holds the goal: not where it is the same in every episode."""

    @property
    def patches(self) -> int:
        return (self.picture // self.patch) ** 2


@dataclass
class Built:
    """A model with what reads its prompts."""

    model: transformers.LlavaForConditionalGeneration
    tokenizer: transformers.PreTrainedTokenizerFast
    vocabulary: list[str]
    actions: list[str]
    shape: Shape

    def __post_init__(self) -> None:
        self._numbers = {word: number for number, word in enumerate(self.vocabulary)}

    def number(self, word: str) -> int:
        """The token of a word. Raises `KeyError`: the vocabulary lacks it."""
        return self._numbers[word]


def build(actions: Sequence[str], sentences: Sequence[str], shape: Shape, seed: int) -> Built:
    """A model with random weights that knows the words of `actions` and `sentences`."""
    vocabulary = words.vocabulary(actions, sentences)
    reader = words.tokenizer(vocabulary, list(dict.fromkeys(actions)), shape.past, shape.reads_goals)
    number = vocabulary.index
    vision = transformers.CLIPVisionConfig(
        hidden_size=shape.width,
        intermediate_size=2 * shape.width,
        num_hidden_layers=shape.tower_layers,
        num_attention_heads=shape.heads,
        image_size=shape.picture,
        patch_size=shape.patch,
    )
    text = transformers.LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        max_position_embeddings=256,
        pad_token_id=number(words.PAD),
        bos_token_id=number(words.BEGIN),
        eos_token_id=number(words.END),
        tie_word_embeddings=True,
    )
    config = transformers.LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=number(words.IMAGE),
        vision_feature_select_strategy="default",
        vision_feature_layer=-1,
        tie_word_embeddings=True,
    )
    torch.manual_seed(seed)
    model = transformers.LlavaForConditionalGeneration(config)
    model.generation_config = transformers.GenerationConfig(
        do_sample=False, max_new_tokens=2, eos_token_id=number(words.END), pad_token_id=number(words.PAD)
    )
    return Built(model, reader, vocabulary, list(dict.fromkeys(actions)), shape)


def processor(built: Built) -> transformers.LlavaProcessor:
    """What turns a prompt with a picture into tokens and pixels."""
    side = built.shape.picture
    images = transformers.CLIPImageProcessorPil(
        size={"height": side, "width": side},
        do_center_crop=False,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        resample=0,
    )
    return transformers.LlavaProcessor(
        image_processor=images,
        tokenizer=built.tokenizer,
        patch_size=built.shape.patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=built.tokenizer.chat_template,
        image_token=words.IMAGE,
    )


def save(built: Built, folder: Path) -> None:
    """Writes a model folder that `transformers/FOLDER` plays: float16 weights, configuration, words, template."""
    transformers.logging.disable_progress_bar()
    if folder.exists():
        shutil.rmtree(folder)
    half = transformers.LlavaForConditionalGeneration(built.model.config)
    torch.nn.Module.to(half, torch.float16)  # transformers' own `to` has no types
    half.load_state_dict({name: tensor.to(torch.float16) for name, tensor in built.model.state_dict().items()})
    half.generation_config = built.model.generation_config
    half.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)  # as the other files: safetensors keeps it to its owner
    processor(built).save_pretrained(folder)
    about = {"actions": built.actions, "shape": asdict(built.shape), "vocabulary": built.vocabulary}
    (folder / "tinyvlm.json").write_text(json.dumps(about, indent=1) + "\n")


def load(folder: Path) -> Built:
    """The model of a folder that `save` wrote, in float32."""
    transformers.logging.disable_progress_bar()
    about = json.loads((folder / "tinyvlm.json").read_text())
    model = transformers.LlavaForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True
    )
    reader = transformers.PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    return Built(model, reader, about["vocabulary"], about["actions"], Shape(**about["shape"]))
