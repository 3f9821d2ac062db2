"""`--log mlflow`: a run of MLflow.

Its own variables say where: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME (default: embodied).
"""

from __future__ import annotations

import os
import time

from embodied.listeners import Context
from embodied.listeners.scalars import Scalars, key, settings
from embodied.types import Episode, EpisodeSpec, Step

_TAG = "embodied.run"


class MLflowListener:
    """Logs numbers of ended episodes; a resumed run continues as the same one. Needs the extra `mlflow`."""

    def __init__(self, context: Context):
        from mlflow.entities import Metric, Param, RunTag
        from mlflow.tracking import MlflowClient

        self._metric = Metric
        run, self._scalars = context.run, Scalars(context.before)
        self._client = MlflowClient()
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "embodied")
        found = self._client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self._client.create_experiment(name)
        mine = f"tags.`{_TAG}` = '{key(run)}'"
        before = self._client.search_runs([experiment], mine, max_results=1)
        if before:
            self._id = before[0].info.run_id
            self._client.update_run(self._id, status="RUNNING")
            return
        tags = [RunTag(_TAG, key(run)), RunTag("mlflow.runName", run.root.name)]
        self._id = self._client.create_run(experiment, tags={tag.key: tag.value for tag in tags}).info.run_id
        params = [Param(key, value) for key, value in settings(run).items()]
        for start in range(0, len(params), 100):  # MLflow takes a hundred at once
            self._client.log_batch(self._id, params=params[start : start + 100])

    def started(self, spec: EpisodeSpec) -> None:
        """Nothing to log yet."""

    def stepped(self, spec: EpisodeSpec, step: Step) -> None:
        """Steps are in the run folder."""

    def ended(self, episode: Episode) -> None:
        now = int(1000 * time.time())
        numbers = self._scalars.of(episode)
        metrics = [self._metric(name, value, now, self._scalars.count) for name, value in numbers.items()]
        self._client.log_batch(self._id, metrics=metrics)

    def close(self) -> None:
        self._client.set_terminated(self._id)
