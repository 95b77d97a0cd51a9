"""Runs beside what the twins of their devices do: verdicts and drift."""
