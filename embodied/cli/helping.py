"""The runs of `embodied ablate --corrector NAME`: the agent alone, the agent with help, and the expert alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from embodied.catalog import ENTRIES
from embodied.cli.conditions import Conditions, of_one
from embodied.cli.helping_table import ALONE, CORRECTED, EXPERT, print_help
from embodied.errors import UsageError
from embodied.eval.ablation import AGENT, Condition
from embodied.eval.leaderboard.board import slug
from embodied.request import Request
from embodied.rollout.playing import check
from embodied.session import prepare

_OPTION = "corrector."
OURS = ("run.out", "corrector.name")
"""Keys that the command sets for each column."""


class Helped(Conditions):
    """What a corrector's words are worth to an agent.

    Args:
        request: The agent, with `corrector`; `out` is the folder of all runs.
        also: Settings of the corrector, `silence=0.5`, each of which makes one more column.
        metric: What is compared.
        as_json: Print nothing but JSON at the end.

    Raises:
        UsageError: The corrector cannot speak here, or something else makes no sense.
    """

    def __init__(self, request: Request, also: Sequence[str], metric: str, as_json: bool):
        _check(request)
        self._help = request
        words = tuple(word if word.startswith(_OPTION) else _OPTION + word for word in also)
        self._also = {word.removeprefix(_OPTION): word for word in words}
        helped = prepare(replace(request, out=None), say=lambda text: None)
        check(helped)  # what is wrong with a column is said before anything is played
        for word in words:
            check(prepare(replace(request, out=None, words=(*request.words, word)), say=lambda text: None))
        out = request.out or str(helped.root.with_name(f"words-{helped.root.name}"))
        own = tuple(word for word in request.words if not _of_corrector(word))
        super().__init__(replace(request, corrector=None, words=own, out=out), ALONE, "words", as_json)
        self._metric = metric

    def _print(self, conditions: Sequence[Condition]) -> None:
        print_help(conditions, str(self._help.corrector), self.out, self._metric, self._json)

    def _conditions(self) -> Iterator[Condition]:
        self._say(ALONE, meaning := f"{self._help.agent} as it is; nobody speaks")
        yield Condition(AGENT, meaning, (self._scored(self._played(self._job)),))
        yield self._corrected(CORRECTED, ())
        for name, word in self._also.items():
            yield self._corrected(name, (word,))
        yield self._expert()

    def _corrected(self, name: str, more: tuple[str, ...]) -> Condition:
        meaning = f"{self._help.agent}, and {self._help.corrector} speaks"
        self._say(name, meaning)
        request = replace(self._help, words=(*self._help.words, *more))
        folder = CORRECTED if not more else f"{CORRECTED}-{slug(name)}"
        return Condition(name, meaning, (self._played(self._prepared(request, folder)),))

    def _expert(self) -> Condition:
        """The expert, on the environments that have one."""
        meaning = "the environment's own expert plays"
        silent = {task: f"{task[0]} has no expert." for task in self._tasks() if not _has_expert(task[0])}
        left = [task for task in self._tasks() if task not in silent]
        if not left:
            return Condition(EXPERT, meaning, (), silent)
        self._say(EXPERT, meaning)
        request = self._other("expert")
        if not silent:
            return Condition(EXPERT, meaning, (self._played(self._prepared(request, "expert")),))
        runs = []
        for env in dict.fromkeys(env for env, _ in left):
            names = ",".join(task for of, task in left if of == env and task) or None
            narrow = replace(request, env=(env,), task=names, words=of_one(request.words, env, self._request.env))
            runs.append(self._played(self._prepared(narrow, f"expert-{slug(env)}")))
        return Condition(EXPERT, meaning, tuple(runs), silent)


def _has_expert(env: str) -> bool:
    return env in ENTRIES and bool(ENTRIES[env].experts)


def _of_corrector(word: str) -> bool:
    return word.lstrip("+~").startswith((_OPTION, "run.corrector_price"))


def _check(request: Request) -> None:
    if request.corrector == "desk":
        raise UsageError("At the desk people speak, so there is no such column: name another --corrector.")
    for word in request.words:
        if word.lstrip("+~").partition("=")[0] in OURS:
            raise UsageError(f"`embodied ablate --corrector` says this for each column: leave out {word}.")
