"""What a bench user runs: pymeasure procedures, learning, the command line, windows and reports."""
