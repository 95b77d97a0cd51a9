"""Fits of devices, instruments and boards, and the records that they leave behind."""
