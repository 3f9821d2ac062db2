"""The run on disk. Files are the truth; see `embodied.store.run` for the layout."""

from embodied.store.run import EpisodeWriter, Run, RunRecord

__all__ = ["EpisodeWriter", "Run", "RunRecord"]
