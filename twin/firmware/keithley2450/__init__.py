"""The Keithley 2450 with its SCPI command set, over simulated terminals.

Source of all files here: Model 2450 Interactive SourceMeter Instrument Reference Manual,
2450-901-01 (commands, buffers, trigger model, status), and its data sheet SPEC-2450.
"""
