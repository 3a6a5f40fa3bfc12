"""Methods of the `Converter` that compare the network with the model."""

from collections.abc import Iterable
from typing import Any

from nengo_dl.converter.keras_conversion import KerasConversion
from nengo_dl.converter.report import DEVICES, Device, Report
from nengo_dl.converter.report.measure import measure
from nengo_dl.converter.verify import verify
from nengo_dl.hardware import Hardware, Weights


class CheckMethods:
    """Public methods on a conversion, which is all that they need.

    Parameters
    ----------
    conversion : KerasConversion
        Is compared with its model.
    """

    def __init__(self, conversion: KerasConversion):
        self.conversion = conversion

    def verify(
        self,
        training: bool = False,
        inputs: Any = None,
        atol: float = 1e-8,
        rtol: float = 1e-5,
    ) -> bool:
        """Check that the network computes the same as the model.

        Parameters
        ----------
        training : bool
            Whether to compare after three steps of training; the model gets its
            weights back afterwards.
        inputs : list of array_like, optional
            One for each input of the model, with a minibatch axis; by default two items
            of ones (in a temporal model, of 10 time steps if it does not say how many).
        atol, rtol : float
            Largest difference: ``atol + rtol * abs(output of Keras)``.

        Returns
        -------
        is_equal : bool
            True.

        Raises
        ------
        ValueError
            If outputs differ, or the numbers of trainable parameters.
        """
        return verify(self.conversion, training, inputs, atol, rtol)

    def report(
        self,
        x: Any,
        y: Any = None,
        n_steps: int | None = None,
        *,
        dt: float = 0.001,
        minibatch_size: int = 32,
        devices: Iterable[Device] = DEVICES,
        hardware: Hardware | Weights | None = None,
    ) -> Report:
        """Run the network and the model on data, and report what it does and costs.

        What a simulator has learned is used after ``sim.freeze_params(converter.net)``.

        Parameters
        ----------
        x : array_like, or list or dict of array_like
            One for each input of the model, of the shape that Keras takes, with a
            minibatch axis. In a network without an axis of time, each item is presented
            for ``n_steps`` steps.
        y : array_like, or list or dict of array_like, optional
            Labels, for each output of the model: numbers of classes or one-hot vectors,
            one for each item. None for outputs without labels.
        n_steps : int, optional
            How many steps each item takes, by default 32 (see `recommended_steps`).
            With ``temporal_model=True``, x says it.
        dt : float
            Length of a step, in seconds.
        minibatch_size : int
            How many items are run side by side. Memory grows with it, and not with the
            number of items or steps.
        devices : iterable of `nengo_dl.converter.report.Device`
            What energies are estimated for.
        hardware : `nengo_dl.hardware.Weights` or `nengo_dl.hardware.Hardware`, optional
            Hardware that a copy of the network is put on, and run as well; ``hardware``
            of the report compares the two. Devices are programmed five times, with the
            seeds 0 to 4, and read after a second, a day and a year, with their drift
            compensated for each parameter.

        Returns
        -------
        report : `nengo_dl.converter.report.Report`

        Raises
        ------
        ValueError
            If data does not fit the model, or a layer puts out NaN.
        """
        return measure(
            self.conversion, x, y, n_steps, dt, minibatch_size, devices, hardware
        )
