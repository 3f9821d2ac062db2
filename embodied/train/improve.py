"""The improve loop: collect (train), learn, gate (dev), promote or keep the parent. The test at the end decides
nothing.

What an agent knows changes only between rounds. So the episodes of a round are independent, parallel, resumable and
paired. A killed loop goes on where it was: runs continue, finished rounds are read, and everything else is done again
in the same way.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from embodied.agents.folders import is_ours
from embodied.agents.versions import FILE, AgentVersion, load
from embodied.catalog import ENTRIES
from embodied.config import env_defaults, restore
from embodied.errors import BudgetSpent, EmbodiedError, LearnerFailed, StoreError, TrainingFailed, UsageError
from embodied.eval.results import read as results
from embodied.models.config import LOCAL
from embodied.models.prices import price_of
from embodied.request import Request
from embodied.rollout.playing import Job
from embodied.seeding import derive
from embodied.splits import check_split, check_tasks, options_of
from embodied.store.disk import disk, locked
from embodied.store.run import Run
from embodied.train import LEARNERS
from embodied.train.curve import curve
from embodied.train.gate import episodes_for, judge
from embodied.train.leaks import check_given, leaks, runs_below
from embodied.train.learner import EXPERT, Learner, Used
from embodied.train.ledger import Ledger, check_priced, sum_of, used_in
from embodied.train.needs import Needs
from embodied.train.practice import ASKED, Journal, OfRound, Player, Playing
from embodied.train.rounds import CURVE, PLAN, ROUND, Curve, Plan, Round, read, write
from embodied.train.settings import learner_settings
from embodied.train.start import beside, first, keys
from embodied.types import Json
from embodied.versions import settings

Say = Callable[[str], None]
EPISODES = 10
"""Training episodes of each task in a round, where the user names no number."""


@dataclass(frozen=True)
class Wanted:
    """What to improve, as a user says it."""

    request: Request
    """Agent, environments, tasks; `out` is the folder; `seed` the suite seed of the test."""
    learner: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The learner's own; `model` and `model.KEY` name the model that it asks."""
    corrector: str | None = None
    rounds: int = 3
    episodes: int = EPISODES
    dev: int | None = None
    test: int | None = None
    """None for the environment's number."""
    given: tuple[Run, ...] = ()
    """Recorded training runs to learn from besides."""
    ceiling: bool = False
    """Whether the first version with its corrector, and the expert, play the test, too."""
    device: str = "auto"
    threads: int = 1
    trust: bool = False
    """Whether the user answers for versions in the folder that another user or machine made."""


class Loop:
    """One improvement in one folder.

    Args:
        wanted: What to improve.
        player: Who plays runs.
        say: Takes a line about what happens.

    Raises:
        UsageError: Something in it makes no sense. Nothing was written.
        StoreError: The folder holds another improvement.
    """

    def __init__(self, wanted: Wanted, player: Player, say: Say):
        self.wanted, self.player, self.say = wanted, player, say
        _check(wanted)
        self.learner: Learner = LEARNERS.get(wanted.learner)
        self.settings, self.asked = learner_settings(wanted.learner, self.learner, wanted.settings)
        request = replace(wanted.request, split=None, corrector=wanted.corrector)
        job = player.job(replace(request, out=None, episodes=wanted.test))
        self.job = job
        self.root = Path(wanted.request.out or f"runs/improve-{job.root.name}-{wanted.learner}")
        config = job.config
        budget = config.run.budget
        prices = price_of(config.model, config.run.price), price_of(config.corrector.model, config.run.corrector_price)
        self.ledger = Ledger(budget.tokens, budget.dollars)
        for price in (*prices, *((price_of(self.asked),) if self.asked else ())):
            check_priced(price, self.ledger)
        _check_splits(job)
        _check_help(wanted, job)
        if getattr(self.learner, "needs_corrector", False) and not config.corrector.name and not wanted.given:
            raise UsageError(
                f"The learner {wanted.learner} learns from corrections: name who corrects with --corrector (oracle,"
                " critic, ...), or give runs with corrections with --runs."
            )
        for run in wanted.given:
            check_given(run, job.record.planned)
        words, options = beside(request, config)
        tasks = ",".join(dict.fromkeys(s.task.task for s in job.record.planned if s.task.task)) or None
        task = tasks if request.alone is not None else request.task
        self.playing = Playing(request, task, words, options, player, self.ledger, prices)
        self.start = first(wanted.request, config, self.root / "start")
        self.test = wanted.test or max((s.index for s in job.record.planned), default=0) + 1
        if (check := getattr(self.learner, "check", None)) is not None:
            check(self.start, self.settings)
        self.plan = self._planned(words, options)
        self.needs = Needs(self, config)

    def run(self) -> Curve:
        """Goes on where the folder stands, to the end.

        Raises:
            EmbodiedError: It cannot go on; everything that was done is kept.
        """
        with ExitStack() as held:
            with disk(f"improve in {self.root}"):
                self.root.mkdir(parents=True, exist_ok=True)
                held.enter_context(locked(self.root))
            return self._run()

    def _run(self) -> Curve:
        self._open()
        self._recount()
        self.needs.check_start()
        rounds: list[Round] = []
        stopped = ""
        version = self.start
        for number in range(1, max(self.wanted.rounds, self._over()) + 1):
            try:
                done = self._round(number, version)
            except BudgetSpent as error:
                stopped = str(error)
                self.say(f"Round {number} does not go on. {error}")
                break
            rounds.append(done)
            if done.decided == "promoted":
                version = self._version(done)
        found = self._tested(rounds, stopped)
        write(self.root / CURVE, found)
        return found

    def _over(self) -> int:
        """Rounds that are over already. Fewer --rounds do not drop them: who drops rounds chooses by the test."""
        number = 0
        while (self.root / f"round-{number + 1}" / ROUND).exists():
            number += 1
        return number

    # ----------------------------------------------------------------- rounds

    def _round(self, number: int, parent: AgentVersion) -> Round:
        folder = self.root / f"round-{number}"
        over = read(folder / ROUND, Round)
        if over is not None:
            if over.parent != parent.hash:
                raise StoreError(
                    f"{folder / ROUND} is of the parent {over.parent[:12]}, not of {parent.hash[:12]}."
                    " The folder was changed: name another --out."
                )
            self.say(f"Round {number} is over: {over.why}")
            return over
        self.say(f"Round {number}: {parent.label} plays training episodes.")
        self.needs.check_round(number)
        collected = self._collect(number, parent, folder)
        done, child = self._learn(number, parent, folder, collected)
        if child is not None:
            done = self._gated(number, parent, child, folder, done)
        if done.decided == "undecided":
            raise StoreError(f"{folder}: {done.why}")
        write(folder / ROUND, done)
        shutil.rmtree(folder / "work", ignore_errors=True)
        self.say(f"Round {number}: {done.why}")
        return done

    def _collect(self, number: int, parent: AgentVersion, folder: Path) -> Run:
        seed = derive(self.plan.seed, "collect", number, bits=31)
        request = self.playing.request(
            parent, "train", seed, self.wanted.episodes, folder / "collect", self.wanted.corrector
        )
        return self.playing.play(request, f"round {number}, collect", f"{folder.name} collect")

    def _learn(
        self, number: int, parent: AgentVersion, folder: Path, collected: Run
    ) -> tuple[Round, AgentVersion | None]:
        """The round so far, with the learner's version; None where it made none."""
        used = self.ledger.spent[f"{folder.name} collect"]
        done = Round(number, parent.hash, "no version", "", collect=used)
        practice = self._practice(number, parent, folder)
        begun = time.monotonic()
        child = folder / "child"
        try:
            made = self._there(parent, child) or self._made(practice, parent, child)
        except TrainingFailed as error:
            why = f"The learner made no version, so the parent stays. {error}"
            return msgspec.structs.replace(done, why=why, learn=self._learned(folder)), None
        learn = self._learned(folder) + Used(seconds=round(time.monotonic() - begun, 1))
        self.say(f"Round {number}: the learner made {made.label}.")
        return msgspec.structs.replace(done, child=made.hash, learn=learn), made

    def _learned(self, folder: Path) -> Used:
        """What the learner of a round has played and asked."""
        mine = (f"{folder.name} practice ", f"{folder.name} asked")
        return sum_of(used for name, used in self.ledger.spent.items() if name.startswith(mine))

    def _there(self, parent: AgentVersion, child: Path) -> AgentVersion | None:
        """The version that was made before a kill; None where it is not there, not whole, or not of this parent: then
        it is made again.
        """
        if child.is_symlink():
            return None
        try:
            made = load(child)
            self._check_made(made)
        except (UsageError, StoreError, LearnerFailed):
            return None
        own = is_ours(made) or self.wanted.trust
        return made if own and made.record.lineage.parent == parent.hash else None

    def _made(self, practice: OfRound, parent: AgentVersion, child: Path) -> AgentVersion:
        if child.is_symlink():
            child.unlink()
        shutil.rmtree(child, ignore_errors=True)  # of a kill while it was written
        try:
            self.learner(practice, parent, child)
        except EmbodiedError:
            raise
        except (Exception, SystemExit) as error:  # a stranger's learner may raise anything
            raise LearnerFailed(
                f"The learner {self.plan.learner} failed ({type(error).__name__}: {error}). {parent.label} stays in"
                " place, and what was played is kept: the same command tries this round again."
            ) from error
        if child.is_symlink() or not (child / FILE).is_file():
            raise UsageError(
                f"The learner {self.plan.learner} made no version in {child}: write it there, with"
                " embodied.agents.versions.write."
            )
        made = load(child)  # what lies there counts, not what the learner returned
        if made.record.lineage.parent != parent.hash:
            raise UsageError(
                f"The learner {self.plan.learner} made a version whose lineage does not name its parent: write it with"
                " Lineage(parent.hash, ...)."
            )
        self._check_made(made)
        return made

    def _check_made(self, made: AgentVersion) -> None:
        """Raises for a version that plays what is not its own, or that asks another service than the first version:
        what that costs is in no budget.
        """
        try:
            model = restore({}, (), settings(made)).model
        except EmbodiedError as error:
            raise LearnerFailed(
                f"The learner {self.plan.learner} made a version that nobody can play. {error}"
            ) from error
        own = self.job.config.model
        if model.provider and model.provider not in LOCAL and (model.provider, model.name) != (own.provider, own.name):
            raise LearnerFailed(
                f"The learner {self.plan.learner} made a version that asks {model.provider}/{model.name}, which the"
                " first version does not ask: no budget was named for it."
            )

    def _practice(self, number: int, parent: AgentVersion, folder: Path) -> OfRound:
        runs = [*self.wanted.given, *(Run(self.root / f"round-{n}" / "collect") for n in range(1, number + 1))]
        seed = derive(self.plan.seed, "learn", number, bits=31)
        asked = self.asked
        if asked is None and self.job.config.model.provider:
            own = self.job.config.model
            asked = replace(own, max_tokens=max(own.max_tokens or 0, Needs.REPLY))
        wanted = self.wanted
        return OfRound(
            self.playing,
            folder,
            parent,
            runs,
            seed,
            self.settings,
            asked,
            wanted.device,
            wanted.threads,
            self.say,
            wanted.corrector or "",
        )

    def _gated(self, number: int, parent: AgentVersion, child: AgentVersion, folder: Path, done: Round) -> Round:
        dev = self.wanted.dev or episodes_for(results(Run(folder / "collect")))
        self.needs.check_gate(number, dev)
        self.say(f"Round {number}: the gate, {dev} dev episodes of each task for parent and child.")
        played = []
        for who, version in (("parent", parent), ("child", child)):
            seed = derive(self.plan.seed, "gate", number, bits=31)
            request = self.playing.request(version, "dev", seed, dev, folder / "gate" / who)
            played.append(self.playing.play(request, f"round {number}, gate, {who}", f"{folder.name} gate {who}"))
        learned = [*self.wanted.given, *runs_below(self.root, number)]
        own, new = map(results, played)
        verdict = judge(own, new, leaks(learned, played).known)
        gate = self.ledger.spent[f"{folder.name} gate parent"] + self.ledger.spent[f"{folder.name} gate child"]
        return msgspec.structs.replace(
            done, verdict=verdict, decided=verdict.decided, why=verdict.why, dev=dev, gate=gate
        )

    def _version(self, done: Round) -> AgentVersion:
        """The version that a round made, checked byte by byte."""
        made = load(self.root / f"round-{done.number}" / "child")
        if made.hash != done.child:
            raise StoreError(f"{made.folder} is not the version {done.child[:12]} that round {done.number} made.")
        if not is_ours(made) and not self.wanted.trust:
            raise StoreError(
                f"{made.folder} was not made by you on this machine, and going on would play it. If you answer for it,"
                " add --trust."
            )
        return made

    # ----------------------------------------------------------------- the test

    def _tested(self, rounds: Sequence[Round], stopped: str) -> Curve:
        """Every version on the same test episodes, once."""
        versions = {self.start.hash: self.start}
        for done in rounds:
            if done.child:
                versions.setdefault(done.child, self._version(done))
        self.ledger.reserved = Used()
        runs: dict[str, Run] = {}
        for place, version in enumerate(versions.values()):
            self.say(f"Test: {version.label}, {self.test} episodes of each task.")
            runs[version.hash] = self._test(version, f"{place}-{version.hash[:12]}", None)
        more: dict[str, Run] = {}
        if self.wanted.ceiling:
            if self.wanted.corrector:
                more["corrected"] = self._test(self.start, "corrected", self.wanted.corrector)
            more["ceiling"] = self._test(EXPERT, "ceiling", None)
        return curve(self, rounds, runs, more, stopped)

    def _test(self, version: AgentVersion | str, name: str, corrector: str | None) -> Run:
        request = self.playing.request(
            version, "test", self.plan.seed, self.test, self.root / "test" / name, corrector, shown=self.start
        )
        return self.playing.play(request, f"test, {name}", f"test {name}", reserved=True)

    # ----------------------------------------------------------------- the folder

    def _planned(self, words: tuple[str, ...], options: Json) -> Plan:
        wanted, request = self.wanted, self.wanted.request
        named = request.agent if request.version is None else request.version.record.name
        asked = {key: value for key, value in wanted.settings.items() if key == "model" or key.startswith("model.")}
        return Plan(
            agent=self.start.hash,
            name=named,
            env=request.env,
            learner=wanted.learner,
            task=request.task or "",
            settings={**self.settings, **asked},
            corrector=wanted.corrector or "",
            seed=request.seed,
            steps=request.steps,
            image=request.image,
            episodes=wanted.episodes,
            dev=wanted.dev,
            test=self.test,
            words=tuple(w for w in words if not w.lstrip("+~").startswith("run.")),
            options={k: v for k, v in options.items() if not k.startswith("run.")},
            given=tuple(run.record.identity for run in wanted.given),
            device=wanted.device,
        )

    def _open(self) -> None:
        before = read(self.root / PLAN, Plan)
        if before is None:
            others = [p.name for p in self.root.iterdir() if p.name != "start"] if self.root.exists() else []
            if others:
                raise StoreError(
                    f"{self.root} is not empty ({others[0]}) and is not an improvement. Name another folder with --out."
                )
            write(self.root / PLAN, self.plan)
            return
        if before != msgspec.convert(msgspec.to_builtins(self.plan), Plan):
            key = next(k for k in Plan.__struct_fields__ if getattr(before, k) != getattr(self.plan, k))
            raise StoreError(
                f"{self.root} holds another improvement ({key} differs: {getattr(before, key)!r} there). Name another"
                " folder with --out."
            )

    def _recount(self) -> None:
        """Enters what was used before, in every run and question of the folder, into the ledger."""
        for place in ("round-*/collect", "round-*/gate/*", "round-*/practice/**", "test/*"):
            for path in sorted(self.root.glob(f"{place}/run.json")):
                name = " ".join(path.parent.relative_to(self.root).parts)
                self.ledger.spent[name] = used_in(Run(path.parent), *self.playing.prices)
        for path in sorted(self.root.glob(f"round-*/practice/{ASKED}")):
            price = price_of(self.asked) if self.asked else self.playing.prices[0]
            self.ledger.spent[f"{path.parent.parent.name} asked"] = Journal(path).used(price)


def improve(wanted: Wanted, player: Player, say: Say) -> Curve:
    """Improves an agent; see `Loop`."""
    return Loop(wanted, player, say).run()


def _check(wanted: Wanted) -> None:
    for name in ("rounds", "episodes", "dev", "test"):
        value = getattr(wanted, name)
        if value is not None and value < 1:
            raise UsageError(f"{name} must be at least 1, not {value}.")
    if wanted.request.suite is not None:
        raise UsageError("An agent is improved on environments (--env), not on a suite.")
    if named := {"corrector", "corrector.name"} & set(keys(wanted.request)):
        raise UsageError(
            f"Name who corrects with --corrector, not with {min(named)}: it corrects in training episodes only,"
            " never at a gate or in the test."
        )
    if named := {"run.seed", "run.split", "run.episodes", "run.out", "run.control"} & set(keys(wanted.request)):
        raise UsageError(
            f"`embodied improve` sets {min(named)} itself in each phase: leave it out, or use its options."
        )
    if wanted.request.split not in (None, "test"):
        raise UsageError("`embodied improve` uses all three splits itself: leave out --split.")


def _check_help(wanted: Wanted, job: Job) -> None:
    """Raises `UsageError` for help that there is not: people at the desk, or an expert that an environment lacks."""
    if wanted.corrector == "desk":
        raise UsageError(
            "People at the desk correct a run of their own: `embodied eval --console --split train ...`, and then"
            " `embodied improve ... --runs RUN`."
        )
    for env in dict.fromkeys(s.task.env for s in job.record.planned):
        if wanted.ceiling and not ENTRIES[env].experts:
            raise UsageError(f"{env} has no expert that could be the ceiling: leave out --ceiling.")


def _check_splits(job: Job) -> None:
    """Raises `UsageError` for an environment or task that has nothing to learn from, or to choose by."""
    for env in dict.fromkeys(s.task.env for s in job.record.planned):
        if env not in ENTRIES:
            raise UsageError(
                f"{env} has no train and dev split that is known to be apart from its test, so nothing can be learned"
                " on it. `embodied list envs` lists those that have."
            )
        for split in ("train", "dev"):
            named = check_split(split)
            kwargs = next(s.task.kwargs for s in job.record.planned if s.task.env == env)
            options_of(named, ENTRIES[env], kwargs, env_defaults(env))
            check_tasks(named, ENTRIES[env], [s.task.task for s in job.record.planned if s.task.env == env])
