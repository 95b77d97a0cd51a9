"""From values to a new calibration record: TOML text that a person can read."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from typing import Any

from hil.records.files import parse_record
from hil.records.tables import Conditions, Data, Head, Quantity, Record, Validity

_BARE_KEY = re.compile(r"^[A-Za-z0-9_-]+$")


def make_record(
    head: Head,
    parameters: Mapping[str, Quantity],
    *,
    conditions: Conditions | None = None,
    data: Data | None = None,
    quality: Mapping[str, float] | None = None,
    validity: Validity | None = None,
    correlations: Mapping[str, Mapping[str, float]] | None = None,
) -> Record:
    """Return a new record; nothing is written (see ``write_record``).

    Raises:
        StationError: the parts do not make a record, for example correlations of unknown names.
    """
    tables = {
        "record": head.model_dump(exclude_none=True),
        "conditions": conditions.model_dump(exclude_none=True) if conditions else {},
        "data": data.model_dump() if data else {},
        "quality": {name: float(value) for name, value in (quality or {}).items()},
        "validity": validity.model_dump(exclude_none=True) if validity else {},
        **{
            f"parameters.{_key(name)}": quantity.model_dump(exclude_none=True)
            for name, quantity in parameters.items()
        },
        **{
            f"correlations.{_key(name)}": {k: float(v) for k, v in others.items()}
            for name, others in (correlations or {}).items()
        },
    }
    text = "\n".join(_table(name, values) for name, values in tables.items() if values)
    return parse_record(text.encode(), origin=f"new record {head.id}", record_id=head.id)


def _table(name: str, values: Mapping[str, Any]) -> str:
    lines = [f"{_key(key)} = {_value(value)}\n" for key, value in values.items() if value != ""]
    return f"[{name}]\n" + "".join(lines)


def _key(key: str) -> str:
    return key if _BARE_KEY.match(key) else _string(key)


def _value(value: object) -> str:
    if isinstance(value, str):
        return _paragraph(value) if "\n" in value else _string(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, list):
        return f"[{', '.join(_value(item) for item in value)}]"
    return repr(value)


def _paragraph(value: str) -> str:
    return '"""\n' + "\n".join(_string(line)[1:-1] for line in value.split("\n")) + '"""'


def _string(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
