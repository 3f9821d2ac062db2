"""Models behind an API: OpenAI, Anthropic, Google and every compatible server."""
