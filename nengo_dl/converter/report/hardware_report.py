"""Reports on outputs of a network on hardware, as frozen data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class HardwareReport:
    """One output of the model, computed by the network on hardware.

    Parameters
    ----------
    name : str
        The name of the output's tensor.
    seconds : float or None
        Time since devices were programmed; None for hardware without devices.
    accuracies : tuple of float or None
        Which part of the labels is right by the average over all steps, for each time
        that devices were programmed; None without labels.
    errors : tuple of float or None
        As the last one in `OutputReport`, for each time that they were programmed.
    """

    name: str
    seconds: float | None
    accuracies: tuple[float, ...] | None
    errors: tuple[float | None, ...]

    @property
    def accuracy(self) -> float | None:
        """The mean accuracy; None without labels."""
        found = self.accuracies
        return None if found is None else sum(found) / len(found)

    @property
    def worst_accuracy(self) -> float | None:
        """The lowest accuracy; None without labels."""
        return None if self.accuracies is None else min(self.accuracies)

    @property
    def error(self) -> float | None:
        """The mean error; None if one of them is."""
        found = [error for error in self.errors if error is not None]
        return sum(found) / len(found) if len(found) == len(self.errors) else None

    def to_dict(self) -> dict:
        """Return all of it, in types that JSON has."""
        names = ("accuracy", "worst_accuracy", "error")
        derived = {name: getattr(self, name) for name in names}
        accuracies = None if self.accuracies is None else list(self.accuracies)
        own = {"name": self.name, "seconds": self.seconds, "accuracies": accuracies}
        return {**own, "errors": list(self.errors), **derived}
