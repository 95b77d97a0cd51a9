"""Calibration records: what was measured of a device, an instrument or a board, and how well.

A record is a TOML file that is never edited; a newer one supersedes it. Described in
``docs/reference/calibration-records.md``.
"""

from hil.records.build import make_record
from hil.records.files import (
    list_records,
    load_record,
    parse_record,
    record_ids,
    require_valid,
    write_record,
)
from hil.records.tables import Conditions, Data, Head, Kind, Quantity, Record, Status, Validity

__all__ = [
    "Conditions",
    "Data",
    "Head",
    "Kind",
    "Quantity",
    "Record",
    "Status",
    "Validity",
    "list_records",
    "load_record",
    "make_record",
    "parse_record",
    "record_ids",
    "require_valid",
    "write_record",
]
