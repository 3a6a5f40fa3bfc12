"""Times of any length, in words."""

_UNITS = ((31536000.0, "y"), (86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def duration(seconds: float) -> str:
    """Write a time in its largest unit, e.g. "30 d"; a year has 365 days."""
    for unit, name in _UNITS:
        if seconds >= unit or (unit, name) == _UNITS[-1]:
            break
    return f"{seconds / unit:.3g} {name}"
