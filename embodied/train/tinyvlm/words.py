"""The words that tinyvlm knows, and how it reads a prompt.

The vocabulary is closed: an action is one word of it, and every other word of a goal is one. The chat template takes
from a prompt what the model was trained to read: the goal, the actions so far, and the last picture.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

PAD, BEGIN, IMAGE, ANSWER, END, UNKNOWN = SPECIAL = ("<pad>", "<begin>", "<image>", "<answer>", "<end>", "<unknown>")
GOAL = "Your goal: "
"""What the line of a prompt begins with that holds the goal (`embodied.agents.prompt.instruction`)."""

TEMPLATE = """\
{%- set found = namespace(goal='', actions=[], pictures=0) -%}
{%- for m in messages -%}
{%- if m.role == 'assistant' -%}
{%- for p in (m.content if m.content is not string else [{'type': 'text', 'text': m.content}]) -%}
{%- if p.type == 'text' -%}{%- set found.actions = found.actions + [p.text] -%}{%- endif -%}
{%- endfor -%}
{%- else -%}
{%- for p in (m.content if m.content is not string else [{'type': 'text', 'text': m.content}]) -%}
{%- if p.type == 'image' -%}{%- set found.pictures = found.pictures + 1 -%}
{%- elif not found.goal and 'GOAL' in p.text -%}
{%- set found.goal = p.text.split('GOAL')[1].split('\\n')[0] -%}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{%- endfor -%}
{%- if not found.goal -%}
{{ raise_exception('tinyvlm reads a line that begins with GOAL, and there is none') }}
{%- endif -%}
{%- if found.pictures != 1 -%}{{ raise_exception('tinyvlm reads one picture, not ' ~ found.pictures) }}{%- endif -%}
READING <begin>{% for a in found.actions[-ACTIONS:] %} {{ a }}{% endfor %} <image><answer>"""
READ = """{%- for word in (found.goal | lower).replace(',', ' ').replace('.', ' ').split() -%}
{%- if word not in KNOWN -%}{{ raise_exception('tinyvlm does not know the word ' ~ word) }}{%- endif -%}
{%- endfor -%}
{{ found.goal }}"""
"""How a goal is read. A world whose goal is always the same is played without it."""


def words(text: str) -> list[str]:
    """The words of a goal as the vocabulary spells them: small letters, digits, no punctuation."""
    return re.findall(r"[a-z0-9]+", text.lower())


def vocabulary(actions: Iterable[str], sentences: Iterable[str]) -> list[str]:
    """Every word, by number: the special ones, a phrase of an action each, and the others of the sentences, sorted."""
    phrases = list(dict.fromkeys(actions))
    rest = {word for sentence in sentences for word in words(sentence)} - set(phrases)
    return [*SPECIAL, *phrases, *sorted(rest)]


def tokenizer(
    vocabulary: Sequence[str], actions: Sequence[str], past: int, reads_goals: bool
) -> PreTrainedTokenizerFast:
    """A tokenizer of whole words, in which a phrase of several words is one, with the chat template.

    Args:
        vocabulary: Word by number.
        actions: The phrases among them.
        past: Actions of the episode so far that a prompt holds.
        reads_goals: Whether a prompt holds the goal.
    """
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token=UNKNOWN))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r"[^a-z0-9]+"), "removed")
    core.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in SPECIAL])
    several = [phrase for phrase in actions if len(words(phrase)) != 1]
    core.add_tokens([AddedToken(phrase, normalized=True, single_word=True) for phrase in several])
    made = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token=PAD, bos_token=BEGIN, eos_token=END, unk_token=UNKNOWN
    )
    made.add_special_tokens({"additional_special_tokens": [IMAGE, ANSWER]})
    known = [word for word in vocabulary if word not in SPECIAL]
    reading = READ.replace("KNOWN", repr(known)) if reads_goals else ""
    template = TEMPLATE.replace("READING", reading).replace("GOAL", GOAL).replace("ACTIONS", str(past))
    made.chat_template = template
    return made
