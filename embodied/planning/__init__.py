"""Path planning: maps, planners, what describes a path, and who judges it."""
