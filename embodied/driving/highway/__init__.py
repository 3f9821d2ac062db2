"""highway-env's roads in words: lanes, gaps and speeds."""
