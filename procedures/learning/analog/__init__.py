"""Training on tiles: algorithms that know a tile only by what it can do."""
