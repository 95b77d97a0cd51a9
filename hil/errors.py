"""Everything that this project raises on purpose.

::

    HilError
    ├── UsageError (ValueError)            what was asked cannot be meant
    │   ├── ParameterError                 a procedure parameter is unknown or out of range
    │   └── StationError                   a station file or calibration record is wrong
    ├── LimitError (ValueError)            the request would exceed a limit; nothing was sent
    ├── UnsupportedError                   this board cannot do it, and says so in its capabilities
    ├── UnmodelledError                    the twin does not model it
    ├── BoardError (RuntimeError)          the board answered, and the answer is no
    │   ├── InstrumentError                an error out of the instrument's own queue
    │   ├── SwitchBoardError               an error frame of the switch board
    │   └── IdentityError                  a twin where a bench was declared, or the other way round
    ├── LinkError (OSError)                the bytes do not get there or back
    │   ├── LinkTimeout (TimeoutError)     no answer in time
    │   └── ProtocolError                  the answer is not one
    ├── CalibrationError                   a calibration record is expired, or of something else
    ├── StoreError                         the run database cannot be written or read
    └── RunAborted                         someone asked the run to stop

A message says what, where, the value with its unit, and what to do, in one line.
"""


class HilError(Exception):
    """Root of all errors of this project."""


class UsageError(HilError, ValueError):
    """The request itself is wrong; the command line exits with 2."""


class ParameterError(UsageError):
    """A procedure parameter is unknown, has no such choice, or is out of its range."""


class StationError(UsageError):
    """A station file or calibration record is missing, malformed or contradicts itself."""


class LimitError(HilError, ValueError):
    """A limit of the device or of the instrument would be exceeded; nothing was sent."""


class UnsupportedError(HilError):
    """This board has no such capability."""


class UnmodelledError(HilError):
    """The twin has no model for what was asked of it."""


class BoardError(HilError, RuntimeError):
    """A board refused a command or is in a state in which the run cannot go on."""


class InstrumentError(BoardError):
    """The source-measure unit reported an error from its own queue."""


class SwitchBoardError(BoardError):
    """The switch board refused a frame."""


class IdentityError(BoardError):
    """A twin answered where the station declares a bench, or the other way round."""


class LinkError(HilError, OSError):
    """The connection to an instrument failed."""


class LinkTimeout(LinkError, TimeoutError):
    """An instrument did not answer in time."""


class ProtocolError(LinkError):
    """An instrument answered with bytes that are no valid reply."""


class CalibrationError(HilError):
    """A calibration record does not fit what it is applied to, or is no longer valid."""


class StoreError(HilError):
    """The run database is missing, foreign, locked, full or damaged."""


def attach_done(error: BaseException, done: object) -> None:
    """Hang what was completed before ``error`` on it, so that the caller can still log it."""
    error.__dict__["done"] = done


class RunAborted(HilError):
    """The run was asked to stop: Ctrl-C, SIGTERM, or the stop button."""
