"""`embodied list envs|tasks|agents|correctors|learners|models|suites|metrics|exports|listeners|options|runs`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from embodied.cli.heads import Head, heads
from embodied.cli.rows import print_rows
from embodied.terminal import plain

if TYPE_CHECKING:
    from embodied.catalog import Entry
    from embodied.registry import Registry

app = typer.Typer(
    help=(
        "Lists environments, tasks, agents, correctors, learners, models, suites, metrics, exports, listeners, options"
        " and runs."
    ),
    no_args_is_help=True,
)


@app.command()
def envs() -> None:
    """Environments: name, number of tasks, Gymnasium id, what it is."""
    from embodied.catalog import ENTRIES

    whole, short = [], []
    for e in ENTRIES.values():
        says = f"{e.summary} (experts: {', '.join(e.experts)})" if e.experts else f"{e.summary} (no expert)"
        whole.append((f"{e.name:17}", _tasks(e), f"{e.id:27}", says))
        short.append((f"{e.name}\n  {e.id}", _tasks(e), says))
    other = "any other Gymnasium environment with a text or small discrete action space (no expert)"
    print_rows([*whole, ("gym:ID", "", "", other)], [*short, ("gym:ID", "", other)])


def _tasks(e: Entry) -> str:
    return f"{len(e.tasks):2} {'task ' if len(e.tasks) == 1 else 'tasks'}"


@app.command()
def tasks(
    env: str | None = typer.Option(None, "--env", help="Of this environment only."),
) -> None:
    """Tasks by environment."""
    from embodied.catalog import ENTRIES, entry

    print_rows([(f"{e.name:17}", task) for e in ([entry(env)] if env else ENTRIES.values()) for task in e.tasks])


def _heads() -> list[Head]:
    """Every preset and policy. Says which presets cannot be read, and why."""
    return heads(lambda name, error: typer.echo(plain(f"{name} is left out. {error}"), err=True))


@app.command()
def agents() -> None:
    """Agents: policies, presets of a policy with a model, and trained agents with the environments they know."""

    def asks(head: Head) -> str:
        return f"{head.asks}, made for {', '.join(head.worlds)}" if head.worlds else head.asks

    print_rows([(f"{head.name:16}", f"{head.policy:14}", asks(head)) for head in _heads()])


_CORRECTORS = {
    "oracle": "speaks for the environment's expert where the agent decides otherwise",
    "script": "repeats the corrections of a recorded run: corrector.run=RUN",
    "critic": "asks a model of its own: corrector.model.provider=PROVIDER corrector.model.name=NAME",
    "desk": "people in the browser: --console",
    "person": "you, at this terminal: each decision is shown before it is executed",
}


@app.command()
def correctors() -> None:
    """Correctors for `--corrector NAME`: who speaks to an agent while it acts."""
    from embodied.correctors import CORRECTORS

    plugins = {plugin.name: f"of the package {plugin.distribution}" for plugin in CORRECTORS.plugins()}
    print_rows([(f"{name:10}", _CORRECTORS.get(name) or plugins.get(name, "")) for name in CORRECTORS])


_LEARNERS = {
    "null": "a control that changes nothing: what it seems to gain is chance",
    "memorise": "a control that copies what it has seen: it must gain nothing",
    "corrections": "fine-tunes local weights on corrections, approved steps and demonstrations",
    "prompt": "a model proposes instructions, which are raced on training episodes",
    "memory": "examples made of experience, found again by likeness (ICAL)",
}


@app.command()
def learners() -> None:
    """Learners for `embodied improve --learner NAME`, with their settings."""
    from embodied.train import LEARNERS

    plugins = {plugin.name: f"of the package {plugin.distribution}" for plugin in LEARNERS.plugins()}
    rows = []
    for name in LEARNERS:
        rows.append((f"{name:12}", _LEARNERS.get(name) or plugins.get(name, "")))
        settings = getattr(LEARNERS.get(name), "defaults", {})
        rows += [("", f"  learner.{key}={_value(value)}") for key, value in settings.items()]
    print_rows(rows, repeated=False)


def _value(value: object) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value) or "''"


_PROVIDERS = {
    "openai": "OpenAI, or a compatible server by OPENAI_BASE_URL or model.base_url",
    "compatible": "any server that speaks OpenAI's chat completions: model.base_url",
    "anthropic": "Claude; pip install 'embodied-suite[anthropic]'",
    "google": "Gemini; pip install 'embodied-suite[google]'",
    "gguf": "a GGUF file in this process; pip install 'embodied-suite[local]'",
    "transformers": "a model folder or GGUF file in this process, text and images; pip install 'embodied-suite[local]'",
    "scripted": "replies from a list or a function: model.script",
}


@app.command()
def models() -> None:
    """Model providers for `--model provider/name`, and the models that have a preset."""
    from embodied.models.config import MODELS

    presets: dict[str, list[str]] = {}
    for head in _heads():
        presets.setdefault(head.provider, []).append(f"  {head.asks} (--agent {head.name})")
    print_rows(
        [
            (f"{name:14}", said)
            for name in MODELS  # providers of other distributions have no line of ours
            for said in (_PROVIDERS.get(name, ""), *presets.get(name, []))
        ],
        repeated=False,
    )


@app.command()
def suites() -> None:
    """Suites: named lists of tasks."""
    from embodied.errors import UsageError
    from embodied.eval.suites import SUITES, suite
    from embodied.registry import report

    for name in SUITES:
        try:
            found = suite(name)
        except UsageError as error:
            report(error)
            continue
        typer.echo(
            f"{found.name:10}  version {found.version}: {len(found.tasks)} tasks, {sum(n for *_, n in found.tasks)}"
            " episodes"
        )


@app.command()
def metrics() -> None:
    """Metrics for `embodied compare --metric NAME`."""
    from embodied.errors import UsageError
    from embodied.eval.metrics import METRICS, metric
    from embodied.registry import report

    rows = []
    for name in METRICS:
        try:
            found = metric(name)
        except UsageError as error:
            report(error)
            continue
        span = f"{found.range[0]:g} to {found.range[1]:g}" if found.range else "any number"
        better = "" if found.higher_is_better else ", less is better"
        rows.append((f"{name:16}", f"{found.title}: {span}{better}"))
    print_rows(rows)


@app.command()
def exports() -> None:
    """Formats for `embodied export --format NAME`."""
    from embodied.exchange import EXPORTS

    _names(EXPORTS)


@app.command()
def listeners() -> None:
    """Trackers for `embodied eval --log NAME`."""
    from embodied.listeners import LISTENERS

    _names(LISTENERS)


def _names(registry: Registry) -> None:
    plugins = {name: registry.plugin(name) for name in registry}
    print_rows([(f"{name:16}", plugin.distribution if plugin else "") for name, plugin in plugins.items()])


@app.command()
def options() -> None:
    """Every key of the configuration with its default and meaning, to be set as `key=value` behind
    `embodied eval ...`.
    """
    from omegaconf import OmegaConf

    from embodied.config import EvalConfig, keys, meanings

    defaults, said = OmegaConf.structured(EvalConfig), meanings(EvalConfig)
    values = {key: OmegaConf.select(defaults, key) for key in keys(EvalConfig())}
    print_rows([(f"{f'{key} = {_shown(value)}':45}", said.get(key, "")) for key, value in values.items()])
    typer.echo("env.<option>: `embodied show ENV` lists the options of an environment.")


def _shown(value: object) -> str:
    """A default as it is typed."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return "''" if value == "" else str(value)


class Sort(StrEnum):
    date = "date"
    score = "score"
    dollars = "dollars"
    name = "name"
    env = "env"
    agent = "agent"
    model = "model"
    state = "state"


@app.command()
def runs(
    folder: Path = typer.Argument(Path("runs"), help="A folder with run folders in it."),
    env: str = typer.Option("", "--env", help="Only runs with this environment; `*` stands for any."),
    agent: str = typer.Option("", "--agent", help="Only of this policy or preset."),
    suite: str = typer.Option("", "--suite", help="Only of this suite."),
    model: str = typer.Option("", "--model", help="Only of this model: provider/name, or the name."),
    sort: Sort = typer.Option(Sort.date, "--sort", help="The newest, the best and the most expensive come first."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of a table."),
) -> None:
    """The runs of a folder: what was played, the score with its interval, dollars, and whether the run has ended.

    A run that cannot be read is listed with what is wrong with it.
    """
    from embodied.cli.output import print_json
    from embodied.cli.runs import print_runs, sorted_by
    from embodied.eval.summary import Wanted, summaries

    wanted = Wanted(env, agent, suite, model)
    every = list(summaries(folder))
    found = sorted_by(sort.value, [one for one in every if wanted.takes(one)])
    if as_json:
        print_json({"folder": str(folder), "runs": [one.json() for one in found]})
    else:
        print_runs(folder, found, every, wanted)
