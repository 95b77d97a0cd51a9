"""Exit codes of the command line."""

FINISHED, FAILED, USAGE, ABORTED = 0, 1, 2, 3

BY_STATUS = {"finished": FINISHED, "failed": FAILED, "aborted": ABORTED}
