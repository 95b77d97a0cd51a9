"""Drivers of the instruments on the bench."""
