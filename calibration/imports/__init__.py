"""Measurements of others, as runs: every check is made before the first row is written."""

from calibration.imports.facts import Facts, TableFacts, read_facts
from calibration.imports.measurement import PROCEDURE, Measurement, SourceFile, data_sha256
from calibration.imports.memristor_discovery import read_memristor_discovery
from calibration.imports.storing import Duplicate, Stored, store_measurements
from calibration.imports.table import read_table

__all__ = [
    "PROCEDURE",
    "Duplicate",
    "Facts",
    "Measurement",
    "SourceFile",
    "Stored",
    "TableFacts",
    "data_sha256",
    "read_facts",
    "read_memristor_discovery",
    "read_table",
    "store_measurements",
]
