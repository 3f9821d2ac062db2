"""The viewer: recorded runs in the browser."""
