"""NetHack."""
