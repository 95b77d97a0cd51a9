"""A memristor bench that is not there: devices, circuit, instruments, and the bytes they answer."""
