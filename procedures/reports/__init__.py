"""What a person reads of a run: summaries and pictures, made from the database alone."""
