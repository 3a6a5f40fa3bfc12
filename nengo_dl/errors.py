"""Short errors about values, and where they come from.

Inner functions say what they expect, what they got and what to do. The public boundary
adds which argument it was, and of which object.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from nengo.exceptions import ValidationError


class InvalidValue(ValueError):
    """A value that does not fit, whichever argument it is."""


@contextmanager
def argument(name: str, obj: object = None) -> Iterator[None]:
    """Turn errors about a value into those about an argument.

    Parameters
    ----------
    name : str
        Name of the argument, with which messages start.
    obj : object, optional
        The object or class that has the argument; its class goes before the name.
    """
    try:
        yield
    except InvalidValue as error:
        told = ValidationError(str(error), attr=name, obj=obj)
        raise told.with_traceback(error.__traceback__) from error.__cause__


@contextmanager
def arguments_of(obj: object) -> Iterator[None]:
    """Add to errors about arguments whose they are."""
    try:
        yield
    except ValidationError as error:
        error.obj = obj if error.obj is None else error.obj
        raise
