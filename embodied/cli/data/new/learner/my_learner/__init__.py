"""A learner that tries values of one setting on the same training episodes, and keeps the best."""

import shutil
from dataclasses import dataclass

import msgspec
from embodied.agents.versions import Lineage, write
from embodied.errors import NothingLearned
from embodied.eval.results import read
from embodied.eval.score import score


@dataclass(frozen=True)
class MyLearner:
    """`learner.key` names the setting, `learner.values` what is tried, `learner.episodes` on how many episodes."""

    defaults = {"key": "model.temperature", "values": [0.0, 0.5, 1.0], "episodes": 5}

    def __call__(self, practice, parent, out):
        """Makes the next version in the folder `out`. The same arguments must give the same bytes."""
        key, values, episodes = (practice.settings[name] for name in ("key", "values", "episodes"))
        parts = {name: parent.part(name) for name in parent.record.parts}
        best = None
        for n, value in enumerate(values):
            record = msgspec.structs.replace(
                parent.record,
                settings={**parent.record.settings, key: value},
                lineage=Lineage(parent.hash, "my_learner", {"key": key, "value": value}),
            )
            place = practice.work / f"try-{n}"
            shutil.rmtree(place, ignore_errors=True)  # of an earlier call that was killed
            tried = write(place, record, parts)
            run = practice.play(tried, episodes, name=f"try/{n}")  # same seeds for all names that begin with try/
            progress = score(read(run)).total.progress
            practice.say(f"{key}={value} earns {progress}.")
            if progress is not None and (best is None or progress > best[0]):
                best = progress, record
        if best is None:
            raise NothingLearned(f"No value of {key} has a score, so nothing is learned.")
        return write(out, best[1], parts)


learn = MyLearner()
