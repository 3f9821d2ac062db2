"""What the learner `prompt` is made of: proposals, the race between them, and what a proposer is shown."""
