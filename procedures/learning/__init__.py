"""Networks, tasks and update algorithms; they know boards and tiles only by their protocols."""
