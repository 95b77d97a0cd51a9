"""Simulated tiles: arrays of cells with a pulse response, at the speed that training needs."""
