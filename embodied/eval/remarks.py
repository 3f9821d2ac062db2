"""Remarks: facts about the replies that a reader of a score must know, each with advice."""

from __future__ import annotations

from embodied.agents import notes
from embodied.eval.score import Score
from embodied.quantities import counted
from embodied.rollout import counts

_NOTED = {
    notes.SHORTENED: (
        "the prompt was too long for the model and was shortened: the step saw less of its history than agent.history"
        " asks for"
    ),
    notes.UNASKED: (
        "an answer could not be read and asking again would have been too long for the model: the step is invalid"
    ),
    notes.UNHELD: (
        "the model's answer was not one of the actions, although the server was told to allow nothing else: check that"
        " the server obeys model.constraint"
    ),
    notes.DROPPED: "a reply gave more than one command: the first was executed, what followed was dropped",
    notes.UNKNOWN_MARKER: (
        "a reply began with something that looks like an unknown marker: look at one with `embodied view`"
    ),
    notes.HELP: "the agent asked for help, because its set of actions was not a single one",
    notes.REVIEW_UNREAD: (
        "the corrector's model answered neither OK nor one sentence, and nobody spoke: look at one with `embodied view`"
    ),
}
DEAF = 5
"""Corrections none of which was followed, after which a remark says what helps."""
SHOWN = 5
"""Names of models that a remark lists."""


def remarks(score: Score) -> list[str]:
    """Sentences about corrections, refused episodes, replies that are not whole answers, the cache, estimates
    and the model's names.
    """
    return [*_corrected(score), *_refused(score), *_replies(score), *_notes(score), *_models(score)]


def _corrected(score: Score) -> list[str]:
    spoken, followed = (score.counts.get(name, 0) for name in (counts.CORRECTIONS, counts.FOLLOWED))
    if not spoken:
        return []
    said = f"Not played alone: {counted(spoken, 'correction')}, {spoken / max(1, score.scored):.1f} an episode;"
    if followed or spoken < DEAF:
        return [f"{said} {followed} {'was' if followed == 1 else 'were'} followed."]
    return [f"{said} none was followed. `agent.follow=true` makes an agent with a model do what the words name."]


def _refused(score: Score) -> list[str]:
    if not score.refusals:
        return []
    episodes = sum(score.refusals.values())
    reasons = ", ".join(f"{number} {why}" for why, number in score.refusals.items())
    was = "episode ended because its prompt was" if episodes == 1 else "episodes ended because their prompts were"
    return [f"{episodes} {was} refused ({reasons}); they have no score. `embodied resume` plays them last of all."]


def _replies(score: Score) -> list[str]:
    def told(name: str, what: str, advice: str) -> list[str]:
        number = score.counts.get(name, 0)
        return [f"{number} of {of} replies {'was' if number == 1 else 'were'} {what}{advice}"] if number else []

    of = score.counts.get(counts.REPLIES, 0)
    return [
        *told(
            counts.EMPTY,
            "empty",
            ": look at one with `embodied view`. A model that reasons may need a larger model.max_tokens.",
        ),
        *told(counts.CUT, "cut at the limit of tokens", ": raise model.max_tokens, which counts thoughts too."),
        *told(counts.FILTERED, "held back or ended by the provider's filter", "."),
        *told(counts.CACHED, "taken from the cache", " and cost nothing; run.cache=off asks again."),
        *told(
            counts.ESTIMATED,
            "sent without token counts",
            f": {score.usage.estimated:,} tokens are estimated from characters. Costs and budgets are estimates, too.",
        ),
    ]


def _notes(score: Score) -> list[str]:
    found = [(score.counts.get(kind, 0), words) for kind, words in _NOTED.items()]
    return [f"{number} time{'s' if number > 1 else ''} {words}." for number, words in found if number]


def _models(score: Score) -> list[str]:
    if len(score.models) < 2:
        return []
    names = ", ".join(score.models[:SHOWN]) + (" and others" if len(score.models) > SHOWN else "")
    return [
        f"The model reported itself under {len(score.models)} names: {names}. The run may mix the replies of several"
        " models."
    ]
