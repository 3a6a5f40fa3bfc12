"""Variables of Keras that know which of their parameters are on hardware.

Optimizers get variables alone, so these carry what an optimizer for hardware needs.
"""

from typing import Any

import keras

# As ``regularizer`` and ``constraint`` are, an attribute of the variable
MARK = "nengo_dl_on_hardware"
Names = tuple[str | None, ...]


def mark(variable: keras.Variable, names: Names) -> None:
    """Note which parameters of a variable are on hardware.

    Parameters
    ----------
    variable : `keras.Variable`
        Holds one parameter, or several of equal shapes along its first axis.
    names : tuple of (str or None)
        For each of the parameters, its name, or None if it is digital.
    """
    setattr(variable, MARK, names)


def names_on_hardware(variable: Any) -> Names:
    """Return the names of the parameters of a variable that are on hardware.

    Returns
    -------
    names : tuple of (str or None)
        As for `mark`; empty if all are digital, as weights of other layers are.
    """
    names: Names = getattr(variable, MARK, ())
    return names if any(name is not None for name in names) else ()
