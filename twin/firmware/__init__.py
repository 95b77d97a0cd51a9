"""The instruments' own programs: bytes in, bytes out, and volts on the bench."""
