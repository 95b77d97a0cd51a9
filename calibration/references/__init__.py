"""Offsets, gains and resistances from readings of references."""
