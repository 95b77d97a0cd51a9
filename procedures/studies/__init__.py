"""Studies: many runs of procedures on twins, for questions that one run cannot answer."""
