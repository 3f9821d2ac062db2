"""Path planning: maps, planners, descriptors of paths, and the environments that ask about them."""
