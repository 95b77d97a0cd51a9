"""The study of arXiv 2510.02516: multi-tile residual learning and what it is measured against."""

STUDY = "residual"
