"""Models that run in processes of this machine."""
