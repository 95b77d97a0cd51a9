"""Firmware of the Keysight B2901A and B2902A."""
