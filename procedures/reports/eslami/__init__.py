"""The report of the study of arXiv 2408.14680: text, tables and figures from its results."""
