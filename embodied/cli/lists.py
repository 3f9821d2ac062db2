"""`embodied list envs|tasks|agents|models|suites|metrics|exports|listeners|options`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from embodied.terminal import plain

if TYPE_CHECKING:
    from embodied.config import EvalConfig
    from embodied.registry import Registry

app = typer.Typer(
    help="Lists environments, tasks, agents, models, suites, metrics, exports, listeners and options.",
    no_args_is_help=True,
)


@app.command()
def envs() -> None:
    """Environments: name, number of tasks, Gymnasium id, what it is."""
    from embodied.catalog import ENTRIES

    for e in ENTRIES.values():
        experts = f" (experts: {', '.join(e.experts)})" if e.experts else ""
        typer.echo(plain(f"{e.name:17}  {len(e.tasks):2} tasks  {e.id:27}  {e.summary}{experts}"))
    typer.echo(f"{'gym:ID':17}  {'any other Gymnasium environment with a text or small discrete action space':40}")


@app.command()
def tasks(env: str | None = typer.Option(None, "--env", help="Of this environment only.")) -> None:
    """Tasks by environment."""
    from embodied.catalog import ENTRIES, entry

    for e in [entry(env)] if env else ENTRIES.values():
        for task in e.tasks:
            typer.echo(plain(f"{e.name:17}  {task}"))


def _presets() -> list[tuple[str, EvalConfig]]:
    """Every preset that can be read, with its configuration. Says which cannot, and why."""
    from embodied.config import compose, members, quoted
    from embodied.errors import UsageError

    found = []
    for name in members("agent"):
        try:
            found.append((name, compose([f"agent={quoted(name)}"])))
        except UsageError as error:
            typer.echo(plain(f"{name} is left out. {error}"), err=True)
    return found


@app.command()
def agents() -> None:
    """Agents: policies, and presets of a policy with a model."""
    for name, config in _presets():
        model = f"{config.model.provider}/{config.model.name}" if config.model.provider else ""
        typer.echo(f"{name:16}  {config.agent.policy:14}  {model}".rstrip())


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
    from embodied.models import MODELS

    presets: dict[str, list[str]] = {}
    for preset, config in _presets():
        model = config.model
        presets.setdefault(model.provider, []).append(f"{model.provider}/{model.name} (--agent {preset})")
    for name in MODELS:  # providers of other distributions have no line of ours
        typer.echo(f"{name:14}  {_PROVIDERS.get(name, '')}".rstrip())
        for line in presets.get(name, []):
            typer.echo(f"{'':14}    {line}")


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

    for name in METRICS:
        try:
            found = metric(name)
        except UsageError as error:
            report(error)
            continue
        span = f"{found.range[0]:g} to {found.range[1]:g}" if found.range else "any number"
        better = "" if found.higher_is_better else ", less is better"
        typer.echo(plain(f"{name:16}  {found.title}: {span}{better}"))


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
    for name in registry:
        plugin = registry.plugin(name)
        typer.echo(plain(f"{name:16}  {plugin.distribution if plugin else ''}".rstrip()))


@app.command()
def options() -> None:
    """Every key of the configuration with its default and meaning, to be set as `key=value` behind
    `embodied eval ...`.
    """
    from omegaconf import OmegaConf

    from embodied.config import EvalConfig, keys, meanings

    defaults, said = OmegaConf.structured(EvalConfig), meanings(EvalConfig)
    for key in keys(EvalConfig()):
        value = OmegaConf.select(defaults, key)
        typer.echo(f"{f'{key} = {chr(39) * 2 if value == str() else value}':46} {said.get(key, '')}".rstrip())
    typer.echo("env.<option>: `embodied show ENV` lists the options of an environment.")
