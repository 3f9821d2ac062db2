"""The arena: two anonymous episodes of one task side by side, a person's vote, Bradley-Terry strengths."""
