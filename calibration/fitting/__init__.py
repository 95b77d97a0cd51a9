"""Parameters of devices from loops and pulses, with what the data tell of each."""
