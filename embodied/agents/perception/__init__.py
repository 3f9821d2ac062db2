"""What an agent is given to see: pictures as they are, or said in words and outlines."""
