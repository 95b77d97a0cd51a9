"""Firmware of instruments with a Test Script Processor: Keithley 2602B and 2636B.

Lua scripts run in a real interpreter that can reach nothing but the instrument.
"""
