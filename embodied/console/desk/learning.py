"""How the agent of a run can learn from its corrections, as the page of the corrections says it."""

from __future__ import annotations

from typing import Any

from embodied.agents.folders import known, shipped
from embodied.catalog import ENTRIES
from embodied.config import members
from embodied.splits import split_of
from embodied.store.run import Run
from embodied.terminal import shell_word

TRAINED = ("transformers", "gguf")
"""Providers whose weights the learner trains (`embodied.train.corrections`)."""


def learning(run: Run) -> dict[str, str]:
    """The command that improves the agent of a run by the run's corrections; or why there is none.

    Args:
        run: The run. It may come from a stranger: each word of the command is quoted for the shell.

    Returns:
        `command` and `why`, one of them empty.
    """
    config = run.record.config
    if (split := split_of(config)) != "train":
        return _none(
            f"These episodes are of the split {split}, which agents must not learn from: correct episodes of the train"
            " split (`embodied eval --console --split train ...`)."
        )
    if "imported" in config:
        return _none("This run was imported: it names no agent that could learn.")
    if _part(config, "model").get("provider") not in TRAINED:
        return _none(
            "The learner corrections trains a model of this machine, and the agent of this run has none: `embodied list"
            " learners` lists others."
        )
    agent = _agent(config)
    if not agent:
        return _none(
            "The agent of this run is not on this machine under a name, so no command can name it: see `embodied"
            " improve --help`."
        )
    words = ["embodied improve", *_worlds(run), *agent, "--learner corrections --runs", shell_word(run.root)]
    command = " ".join(words)
    if not command.isprintable():  # what is copied into a terminal must not steer it
        return _none("The record of this run names its environment or agent in characters that no command may hold.")
    return {"command": command, "why": ""}


def _part(config: dict[str, Any], name: str) -> dict[str, Any]:
    part = config.get(name)
    return part if isinstance(part, dict) else {}


def _none(why: str) -> dict[str, str]:
    return {"command": "", "why": why}


def _worlds(run: Run) -> list[str]:
    """The environments of the run, and its tasks where they are not all."""
    envs = list(dict.fromkeys(spec.task.env for spec in run.record.planned))
    tasks = list(dict.fromkeys(spec.task.task for spec in run.record.planned if spec.task.task))
    every = {task for env in envs if env in ENTRIES for task in ENTRIES[env].tasks}
    words = ["--env", shell_word(",".join(envs))]
    return words if not tasks or set(tasks) == every else [*words, "--task", shell_word(",".join(tasks))]


def _agent(config: dict[str, Any]) -> list[str]:
    """The words that name the agent: its folder, its preset, or a policy with a model. Empty where nothing names it."""
    agent, model = _part(config, "agent"), _part(config, "model")
    if recorded := agent.get("version"):
        version = known(str(recorded))
        if version is None:
            return []
        own = next((name for name, folder in shipped().items() if folder == version.folder), None)
        return ["--agent", shell_word(own or version.folder.resolve())]
    preset = str(config.get("preset") or "")
    if preset not in members("agent"):
        return []
    named = [str(model.get(key) or "") for key in ("provider", "name")]
    return ["--agent", shell_word(preset), *(["--model", shell_word("/".join(named))] if all(named) else [])]
