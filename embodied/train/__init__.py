"""Training: what makes an agent better, and the folders that it makes."""
