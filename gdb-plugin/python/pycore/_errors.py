"""The exceptions of the package."""


class PycoreError(Exception):
    """Something could not be done; the message says what and why."""


class Unreadable(PycoreError):
    """For readers to raise: the memory that was asked for cannot be read."""
