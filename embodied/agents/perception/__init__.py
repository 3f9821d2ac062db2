"""What an agent sees: pictures as they are, or as words and outlines."""
