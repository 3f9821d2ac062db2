"""Looking at recorded episodes: in a browser while they are on disk, or as one file to hand on."""
