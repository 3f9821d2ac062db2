"""Shows recorded episodes: in a browser from disk, or as one file to share."""
