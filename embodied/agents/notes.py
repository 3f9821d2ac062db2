"""The kinds of notes that a decision may carry (`types.Note.kind`), which are also the keys of `Episode.counts`."""

SHORTENED = "prompts_shortened"
"""The prompt was too long for the model, so the history was cut for this step."""
DROPPED = "text_dropped"
"""More than one command was given; the first was executed."""
UNKNOWN_MARKER = "markers_unknown"
"""The reply begins with what looks like a marker that the reader does not know."""
