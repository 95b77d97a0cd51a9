"""Numbers and texts of SCPI's standard errors.

Source: SCPI-99 volume 1, 21.8. Query errors: -410 and -420 belong to buses on which a controller
addresses an instrument to talk (GPIB, USBTMC); on a stream of bytes only -440 can happen.
"""

from __future__ import annotations

COMMAND_ERROR = -100
INVALID_CHARACTER = -101
SYNTAX_ERROR = -102
DATA_TYPE_ERROR = -104
PARAMETER_NOT_ALLOWED = -108
MISSING_PARAMETER = -109
UNDEFINED_HEADER = -113
HEADER_SUFFIX_OUT_OF_RANGE = -114
NUMERIC_DATA_ERROR = -120
INVALID_SUFFIX = -131
SUFFIX_NOT_ALLOWED = -138
INVALID_STRING_DATA = -151
INVALID_BLOCK_DATA = -161
INVALID_EXPRESSION = -171
EXECUTION_ERROR = -200
TRIGGER_IGNORED = -211
ARM_IGNORED = -212
INIT_IGNORED = -213
TRIGGER_DEADLOCK = -214
ARM_DEADLOCK = -215
PARAMETER_ERROR = -220
SETTINGS_CONFLICT = -221
OUT_OF_RANGE = -222
TOO_MUCH_DATA = -223
ILLEGAL_PARAMETER_VALUE = -224
DATA_STALE = -230
HARDWARE_MISSING = -241
DEVICE_ERROR = -300
QUEUE_OVERFLOW = -350
INPUT_BUFFER_OVERRUN = -363
QUERY_ERROR = -400
QUERY_INTERRUPTED = -410
QUERY_UNTERMINATED = -420
QUERY_DEADLOCKED = -430
QUERY_AFTER_INDEFINITE = -440

STANDARD_MESSAGES = {
    0: "No error",
    COMMAND_ERROR: "Command error",
    INVALID_CHARACTER: "Invalid character",
    SYNTAX_ERROR: "Syntax error",
    DATA_TYPE_ERROR: "Data type error",
    PARAMETER_NOT_ALLOWED: "Parameter not allowed",
    MISSING_PARAMETER: "Missing parameter",
    UNDEFINED_HEADER: "Undefined header",
    HEADER_SUFFIX_OUT_OF_RANGE: "Header suffix out of range",
    NUMERIC_DATA_ERROR: "Numeric data error",
    INVALID_SUFFIX: "Invalid suffix",
    SUFFIX_NOT_ALLOWED: "Suffix not allowed",
    INVALID_STRING_DATA: "Invalid string data",
    INVALID_BLOCK_DATA: "Invalid block data",
    INVALID_EXPRESSION: "Invalid expression",
    EXECUTION_ERROR: "Execution error",
    TRIGGER_IGNORED: "Trigger ignored",
    ARM_IGNORED: "Arm ignored",
    INIT_IGNORED: "Init ignored",
    TRIGGER_DEADLOCK: "Trigger deadlock",
    ARM_DEADLOCK: "Arm deadlock",
    PARAMETER_ERROR: "Parameter error",
    SETTINGS_CONFLICT: "Settings conflict",
    OUT_OF_RANGE: "Parameter data out of range",
    TOO_MUCH_DATA: "Too much data",
    ILLEGAL_PARAMETER_VALUE: "Illegal parameter value",
    DATA_STALE: "Data corrupt or stale",
    HARDWARE_MISSING: "Hardware missing",
    DEVICE_ERROR: "Device specific error",
    QUEUE_OVERFLOW: "Queue overflow",
    INPUT_BUFFER_OVERRUN: "Input buffer overrun",
    QUERY_ERROR: "Query error",
    QUERY_INTERRUPTED: "Query INTERRUPTED",
    QUERY_UNTERMINATED: "Query UNTERMINATED",
    QUERY_DEADLOCKED: "Query DEADLOCKED",
    QUERY_AFTER_INDEFINITE: "Query UNTERMINATED after indefinite response",
}


class ScpiError(Exception):
    """What a handler raises to put an error into the instrument's queue.

    It never leaves the engine, so it is no part of the tree in ``hil.errors``.
    """

    def __init__(self, code: int, text: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.text = STANDARD_MESSAGES[code] if text is None else text

    def __str__(self) -> str:
        sign = "+" if self.code > 0 else ""
        return f'{sign}{self.code},"{self.text}"'
