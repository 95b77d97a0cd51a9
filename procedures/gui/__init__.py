"""Windows over the procedures; everything in here that needs Qt is imported only when asked for."""
