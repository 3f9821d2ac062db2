"""Models around a model: retry, limit, cache and budget."""
