"""The desk: people watch a run that is being played, speak to its agents, and act in their place."""
