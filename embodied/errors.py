"""The error tree. Each class is one kind of thing that went wrong; the message says what failed, on which thing, and
what to do next.

`exit_code` is what the command line returns when the error ends it (docs/cli.md lists the codes).
"""

from __future__ import annotations


class EmbodiedError(Exception):
    """Base of all errors this package raises on purpose."""

    exit_code = 1


class UsageError(EmbodiedError):
    """An option, value or combination that makes no sense."""

    exit_code = 2


class NoControl(UsageError):
    """A control says nothing about a task: what it would exchange is the same in every episode."""


class UnknownName(UsageError):
    """A name that is not registered; the message names the nearest one and the command that lists all."""


class MissingExtra(EmbodiedError):
    """An optional dependency is not installed; the message is the pip line that installs it."""

    exit_code = 3

    def __init__(self, what: str, extra: str):
        super().__init__(
            f"{what} needs an optional dependency that is not installed. Install it with: pip install"
            f" 'embodied-suite[{extra}]'"
        )
        self.what, self.extra = what, extra

    def __reduce__(self) -> tuple[type, tuple[str, ...]]:
        """How a worker process sends it back."""
        return type(self), (self.what, self.extra)


class NotForThisPython(MissingExtra):
    """An optional dependency has no release for this Python; the message says why, and what to do."""

    def __init__(self, what: str, extra: str, reason: str):
        EmbodiedError.__init__(
            self,
            f"{what} cannot be used with this Python: {reason}. With an older Python, run: pip install"
            f" 'embodied-suite[{extra}]'",
        )
        self.what, self.extra, self.reason = what, extra, reason

    def __reduce__(self) -> tuple[type, tuple[str, ...]]:
        return type(self), (self.what, self.extra, self.reason)


class MissingKey(EmbodiedError):
    """No API key where the provider looks for one."""

    exit_code = 3


class StoreError(EmbodiedError):
    """The run folder cannot be used: not a folder, not writable, of another plan, or damaged."""

    exit_code = 4


class DiskFull(StoreError):
    """There is no room for a file. Complete files stay complete. The same command works when there is room again."""


class EnvironmentFailure(EmbodiedError):
    """The simulator failed (not the agent): the episode ends as `infra_failure`."""

    exit_code = 5


class WorkersLost(EnvironmentFailure):
    """Worker processes died, hung or froze again and again. The records are not damaged: the episode continues
    from it later.
    """


class RecordDiffers(EnvironmentFailure):
    """Repeating the recorded steps gave another result: a simulator was updated, or is not deterministic. The episode
    begins again.
    """


class Rewound(EmbodiedError):
    """Somebody went back to an earlier step: the episode ends as `cancelled`, and a branch goes on from there. Nothing
    of it is left to play.
    """

    exit_code = 5


class AgentFailure(EmbodiedError):
    """An agent's own code failed (not its model): the episode ends as `infra_failure`."""

    exit_code = 5


class ModelFailure(EmbodiedError):
    """A model call failed for good: the episode ends as `model_failure`."""

    exit_code = 5
    retryable = False


class ModelUnavailable(ModelFailure):
    """Unreachable, overloaded, rate-limited or failing with a server error: another attempt may work."""

    retryable = True

    def __init__(self, message: str, retry_after: float | None = None):
        super().__init__(message)
        self.retry_after = retry_after


class ModelBusy(ModelUnavailable):
    """The provider limits the rate of calls (429), or says that it is overloaded: fewer calls at a time help."""


class ModelErred(ModelUnavailable):
    """The provider failed at this call, or its answer was not an answer. If it repeats the same words, it will always
    fail.
    """


class ModelAbsent(ModelUnavailable):
    """Nothing listens at the model's address, or the host does not exist. Not tried again unless something has answered
    there before.
    """


class ModelTimeout(ModelUnavailable):
    """No complete answer within the time allowed."""


class ModelRefused(ModelFailure):
    """The provider refuses this account or model: bad key, no permission, no quota, unknown
    model. It stops the run.
    """


class PromptRefused(ModelFailure):
    """The provider refuses this prompt from any account (filtered, malformed for this model). The episode ends as
    `refused`; others continue.

    Attributes:
        why: In two or three words, for tables: `filtered`, `too long`, `no pictures`, `a setting`, `refused`.
        parameter: The setting that the provider does not take, in its own spelling; empty where it is not about one.
    """

    def __init__(self, message: str, why: str = "refused", parameter: str = ""):
        super().__init__(message)
        self.why, self.parameter = why, parameter


class PromptTooLong(PromptRefused):
    """The prompt does not fit the model's context or the server's limit: a shorter one may."""

    def __init__(self, message: str, why: str = "too long", parameter: str = ""):
        super().__init__(message, why, parameter)


class BudgetSpent(ModelFailure):
    """The run's budget of tokens or money leaves no room for another call. The run stops, and continues there when the
    budget is raised.
    """


class StoppedEarly(EmbodiedError):
    """A run that something else waits for stopped before its end. What is recorded is kept."""

    exit_code = 5


class TrainingFailed(EmbodiedError):
    """A training cannot continue: its loss is not a number."""

    exit_code = 5


class LearnerFailed(EmbodiedError):
    """A learner's own code failed. The parent stays, and everything that was played is kept."""

    exit_code = 5


class NothingLearned(TrainingFailed):
    """A learner found nothing to learn from in these runs. The parent stays, and another round may find more."""
