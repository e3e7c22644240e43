"""Crash points: places where the tests let a process die. The product itself does nothing at them."""


def point(name: str) -> None:
    """Mark a place at which a crash must be harmless; see tests/crash for what is tried there."""
