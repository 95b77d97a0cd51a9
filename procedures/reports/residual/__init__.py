"""The report of the study of arXiv 2510.02516."""
