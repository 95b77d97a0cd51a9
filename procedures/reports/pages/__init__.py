"""Pages of reports: blocks, figures, words, files; what all studies have in common."""
