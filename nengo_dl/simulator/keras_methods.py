"""Methods of the `Simulator` that `keras.Model` has, too."""

from collections.abc import Iterable
from typing import Any, NoReturn

import keras
import nengo
import numpy as np
from nengo.exceptions import SimulationError

from nengo_dl.simulator.trainer import Trainer

REMOVED = (
    "Simulator.{} was removed in NengoDL 3. Choose optimizer and loss with "
    "Simulator.compile, then call Simulator.{}."
)


class KerasMethods:
    """Public methods on a `Trainer`, which is all that they need.

    Parameters
    ----------
    trainer : `Trainer`
        Trains the network, evaluates it and predicts.
    """

    def __init__(self, trainer: Trainer):
        self._trainer = trainer

    @property
    def keras_model(self) -> keras.Model:
        """(keras.Model) The network as a model, with inputs and outputs by name."""
        return self._trainer.network("keras_model").model

    @property
    def tensor_graph(self) -> keras.Layer:
        """(keras.Layer) The network as a layer, for use in other models."""
        return self._trainer.network("tensor_graph").layer

    def compile(
        self,
        *args,
        loss: Any = None,
        metrics: Any = None,
        loss_weights: list | dict | None = None,
        **kwargs,
    ) -> None:
        """Choose how `fit` trains the network, and what `evaluate` computes.

        Parameters
        ----------
        *args
            The optimizer (a name or a `keras.optimizers.Optimizer`), the loss, and then
            metrics and loss weights, in either order: numbers are taken for weights,
            all else for metrics. So both ``compile("adam", "mse", ["mae"])`` and Keras'
            own order mean what they say. Anything else goes by name.
        loss : str or keras.losses.Loss or callable, or list or dict of them, optional
            One for every probe, a list in the order of the probes, or a dict by probe
            or name, for these probes alone. The total loss is the weighted sum.
        metrics : str or keras.metrics.Metric or callable, or list or dict, optional
            In the same forms; lists of several metrics for a probe are possible, too.
            One metric, or a list for all probes, goes to those with a loss.
        loss_weights : list or dict of float, optional
            In the same forms.
        **kwargs
            See ``keras.Model.compile``. ``jit_compile`` follows the setting of the
            network by default, see `nengo_dl.configure_settings`.

        Raises
        ------
        ValidationError
            If a key is no probe, a list has a wrong length, or an argument is given
            twice.

        Examples
        --------
        .. testcode::

           with nengo.Network(seed=0) as net:
               stimulus = nengo.Node([0])
               ens = nengo.Ensemble(20, 1, neuron_type=nengo.LIFRate())
               nengo.Connection(stimulus, ens, synapse=None)
               probe = nengo.Probe(ens)

           x = np.linspace(-1, 1, 100).reshape(100, 1, 1)
           with nengo_dl.Simulator(net, minibatch_size=10, progress_bar=False) as sim:
               sim.compile("rmsprop", loss={probe: "mse"}, metrics={probe: ["mae"]})
               history = sim.fit({stimulus: x}, {probe: x**2}, epochs=2, verbose=0)
           print(list(history.history))

        .. testoutput::

           ['loss', 'probe_loss', 'probe_mae']
        """
        by_probe = {"loss": loss, "metrics": metrics, "loss_weights": loss_weights}
        self._trainer.compile(args, by_probe, kwargs)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        n_steps: int | None = None,
        stateful: bool = False,
        **kwargs,
    ) -> keras.callbacks.History:
        """Train the network.

        Neurons behave as the setting ``training_mode`` says; by default, spiking ones
        are replaced by their rates.

        Parameters
        ----------
        x : None or dict or list or ndarray or dataset, optional
            Data for the input nodes, see `predict`; arrays of shape (n_items, n_steps,
            size_out), or (n_items, 1, size_out) together with `n_steps`. Datasets and
            generators give pairs of inputs and targets.
        y : dict or list or ndarray, optional
            Targets: by probe or name, in the order of the probes, or one for the first
            probe; of shape (n_items, n_steps, size). Probes without a loss need none.
        n_steps : int, optional
            Number of steps to simulate; needed if `x` does not tell.
        stateful : bool
            Whether each minibatch starts where the last one ended, and the simulation
            keeps the state. Otherwise, all start from the state there was before.
        **kwargs
            See ``keras.Model.fit``. ``validation_data`` is ``(x, y)`` or ``(x, y,
            sample_weight)`` in the same forms. The size of minibatches is that of the
            simulator.

        Returns
        -------
        history : `keras.callbacks.History`
            Its ``history`` has lists by the keys that `evaluate` returns, and by the
            same with "val\\_" before.

        Raises
        ------
        ValidationError
            If data has the wrong form. Nothing has been trained then.
        SimulationError
            If a function of the user's fails, or if the network is configured with
            ``inference_only=True``.
        """
        return self._trainer.fit(x, y, n_steps, stateful, kwargs)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        n_steps: int | None = None,
        stateful: bool = False,
        **kwargs,
    ) -> dict[str, float]:
        """Compute the losses and metrics of the network, in inference mode.

        Parameters
        ----------
        x, y, n_steps, stateful : as for `fit`
            The data, and what to do with it.
        **kwargs
            See ``keras.Model.evaluate``.

        Returns
        -------
        values : dict of str to float
            "loss", then "<probe>_loss" for all probes with a loss, then
            "<probe>_<metric>".

        Raises
        ------
        ValidationError
            If data has the wrong form.
        SimulationError
            If a function of the user's fails.
        """
        return self._trainer.evaluate(x, y, n_steps, stateful, kwargs)

    def predict(
        self,
        x: Any = None,
        n_steps: int | None = None,
        stateful: bool = False,
        **kwargs,
    ) -> dict[nengo.Probe, np.ndarray]:
        """Compute the outputs of all probes, in inference mode.

        Parameters
        ----------
        x : None or dict or list or ndarray or dataset, optional
            Data for the input nodes, each array of shape (n_items, n_steps, size_out):
            by node or name, in the order of the nodes, or one for the first node. What
            is not given is generated from the nodes. Datasets and generators give all
            inputs, in batches of any size or item by item.
        n_steps : int, optional
            Number of steps to simulate; needed if `x` does not tell. With it, arrays
            may have a single step, which is held for all steps.
        stateful : bool
            Whether each minibatch starts where the last one ended, and the simulation
            keeps the state. Otherwise, all start from the state there was before.
        **kwargs
            See ``keras.Model.predict``.

        Returns
        -------
        outputs : dict of Probe to ndarray
            Of shape (n_items, n_steps, size_in) each. Empty without probes.

        Raises
        ------
        ValidationError
            If data has the wrong form.
        SimulationError
            If a function of the user's fails.
        """
        return self._trainer.predict(x, n_steps, stateful, kwargs)

    def predict_on_batch(
        self,
        x: Any = None,
        n_steps: int | None = None,
        stateful: bool = False,
        **kwargs,
    ) -> dict[nengo.Probe, np.ndarray]:
        """Compute the outputs of all probes for one minibatch.

        Parameters
        ----------
        x : None or dict or list or ndarray, optional
            As for `predict`, of shape (minibatch_size, n_steps, size_out) each.
        n_steps : int, optional
            Number of steps to simulate; needed if `x` does not tell.
        stateful : bool
            Whether the simulation keeps the state.
        **kwargs
            See `predict`.

        Returns
        -------
        outputs : dict of Probe to ndarray
            Of shape (minibatch_size, n_steps, size_in) each.

        Raises
        ------
        ValidationError
            If data has the wrong form.
        SimulationError
            If a function of the user's fails.
        """
        return self._trainer.predict(x, n_steps, stateful, kwargs, on_batch=True)

    def check_gradients(
        self,
        inputs: Any = None,
        outputs: Iterable[nengo.Probe] | None = None,
        atol: float = 1e-5,
        rtol: float = 1e-3,
    ) -> dict[nengo.Probe, dict[str, list[np.ndarray]]]:
        """Compare the gradients that training uses with finite differences.

        Parameters
        ----------
        inputs : dict of Node to ndarray, optional
            Where to evaluate, see `predict`; of shape (minibatch_size, n_steps,
            size_out). By default zeros, for twice as many steps as
            ``unroll_simulation``.
        outputs : list of Probe, optional
            What to differentiate; by default all probes.
        atol, rtol : float
            Largest difference: ``atol + rtol * abs(numeric)``.

        Returns
        -------
        gradients : dict of Probe to dict
            "analytic" and "numeric", each a list of one array per input node, of shape
            (size of the input, size of the output), over items, steps and dimensions.

        Raises
        ------
        SimulationError
            If a gradient is not finite or differs, if the network is configured with
            ``inference_only=True``, or if products are those of tiles
            (:doc:`hardware`), which round.
        """
        return self._trainer.check_gradients(inputs, outputs, atol, rtol)

    def train(self, *args, **kwargs) -> NoReturn:
        """Raise SimulationError: was removed in NengoDL 3."""
        raise SimulationError(REMOVED.format("train", "fit"))

    def loss(self, *args, **kwargs) -> NoReturn:
        """Raise SimulationError: was removed in NengoDL 3."""
        raise SimulationError(REMOVED.format("loss", "evaluate"))
