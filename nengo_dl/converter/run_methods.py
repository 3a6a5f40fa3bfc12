"""Methods of the `Converter` that run and train the network, as Keras does."""

import warnings
from functools import cached_property
from typing import Any

import keras
import nengo
import numpy as np

from nengo_dl.converter import evaluation, readout
from nengo_dl.converter.calibration import recommended_steps
from nengo_dl.converter.distillation import SURROGATE, Training, distil
from nengo_dl.converter.keras_conversion import KerasConversion
from nengo_dl.converter.presentation import (
    DEFAULT_STEPS,
    Arrays,
    checked_inputs,
    classes,
    positive,
    steps_of,
)
from nengo_dl.simulator.stacklevel import user_level
from nengo_dl.surrogates import Surrogate


class RunMethods:
    """Public methods on a conversion, which is all that they need.

    Parameters
    ----------
    conversion : KerasConversion
        Is run.
    data : tuple of ndarray, optional
        Typical inputs of the model.
    """

    def __init__(self, conversion: KerasConversion, data: Arrays | None):
        self.conversion, self._data = conversion, data

    @cached_property
    def recommended_steps(self) -> int | None:
        """(int or None) For how many steps to present an input.

        If the model is a classifier, the average output for ``calibration_data`` has
        then come to stay with the decisions of the model, for 99 % of at most 128
        items. Else, its error (root mean square over items) has come to stay below 5 %
        of the root mean square of the model's output. None, with a warning, if it has
        not after 128 steps.

        A classifier ends in a softmax or sigmoid, or is compiled with a cross entropy.
        """
        if self._data is None:
            raise ValueError(
                "Converter.recommended_steps: expected calibration_data (got none). "
                "Pass typical inputs of the model to the Converter."
            )
        conversion = self.conversion
        found = recommended_steps(conversion.net, conversion, self._data)
        if found is None:
            warnings.warn(
                "Converter.recommended_steps: expected average outputs that come to "
                f"agree with the model (got none in 128 steps). {_advice(conversion)}",
                stacklevel=user_level(),
            )
        return found

    def predict(
        self,
        x: Any,
        n_steps: int | None = None,
        *,
        dt: float = 0.001,
        minibatch_size: int = 32,
    ) -> Any:
        """Return the outputs of the network, as ``model.predict`` does.

        What a simulator has learned is used after ``sim.freeze_params(converter.net)``.

        Parameters
        ----------
        x : array_like, or list or dict of array_like
            One for each input of the model, of the shape that Keras takes, with a
            minibatch axis.
        n_steps : int, optional
            For how many steps each item is presented, and outputs are averaged. By
            default it is `recommended_steps`, if there is calibration data and a
            number; else 32, or 1 if nothing spikes. With ``temporal_model=True``, x
            says it.
        dt : float
            Length of a step, in seconds.
        minibatch_size : int
            How many items are run side by side.

        Returns
        -------
        y : ndarray, or list or dict of ndarray
            The outputs, of the shapes and in the structure that ``model.predict`` has.

        Raises
        ------
        ValueError
            If data does not fit the model.

        Examples
        --------
        .. testcode::

           inputs = keras.Input((4,))
           hidden = keras.layers.Dense(8, activation="relu")(inputs)
           model = keras.Model(inputs, keras.layers.Dense(3)(hidden))
           x = np.random.RandomState(0).uniform(size=(50, 4))
           converter = nengo_dl.Converter(
               model,
               swap_activations={"relu": nengo_dl.IntegrateAndFire()},
               calibration_data=x,
           )
           print(converter.predict(x, n_steps=32).shape)

        .. testoutput::

           (50, 3)
        """
        outputs = self._run("predict", x, n_steps, dt, minibatch_size)
        structure = self.conversion.plan.options.model.output
        return keras.tree.pack_sequence_as(structure, outputs)

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        n_steps: int | None = None,
        *,
        sample_weight: Any = None,
        return_dict: bool = False,
        dt: float = 0.001,
        minibatch_size: int = 32,
    ) -> Any:
        """Return loss and metrics of the network, as ``model.evaluate`` does.

        They are those that the model was compiled with, of the outputs of `predict`.

        Parameters
        ----------
        x : array_like, or list or dict of array_like
            As for `predict`, one for each input of the model.
        y : array_like, or list or dict of array_like
            Targets, of the shapes and in any form that the model takes.
        n_steps : int, optional
            As for `predict`.
        sample_weight : array_like, or list or dict of array_like, optional
            Weights of the items, one for each, in any form that the model takes.
        return_dict : bool
            Whether to return them by their names.
        dt : float
            Length of a step, in seconds.
        minibatch_size : int
            How many items are run side by side.

        Returns
        -------
        values : float or list of float or dict of float
            The loss, or the loss and all metrics.

        Raises
        ------
        ValueError
            If data does not fit the model, or the model is not compiled.
        """
        outputs = self._run("evaluate", x, n_steps, dt, minibatch_size)
        model = self.conversion.plan.options.passed
        found = evaluation.evaluate(model, y, outputs, sample_weight)
        return found if return_dict else evaluation.listed(model, found)

    def tune(
        self,
        x: Any,
        y: Any = None,
        epochs: int = 12,
        n_steps: int | None = None,
        *,
        learning_rate: float = 3e-3,
        surrogate: Surrogate | str = SURROGATE,
        dt: float = 0.001,
        minibatch_size: int = 32,
        verbose: Any = 0,
    ) -> keras.callbacks.History:
        r"""Train the spiking network to agree with the model.

        The outputs of the model for ``x`` are the targets of the outputs of `predict`,
        so that labels are not needed. Gradients pass through spikes and all steps. Use
        it for neurons that conversion alone does not serve, or for fewer steps.

        Parameters
        ----------
        x : array_like, or list or dict of array_like
            Data such as the model was trained on, one for each of its inputs.
        y : array_like, or list or dict of array_like, optional
            Labels, as for `report`. Targets of classifiers are then half the
            probabilities of the model, half the labels.
        epochs : int
            How often all of ``x`` is used.
        n_steps : int, optional
            For how many steps each item is presented, by default 32. The network is
            trained for that number. With ``temporal_model=True``, x says it.
        learning_rate : float
            Of Adam in the beginning; it decays to zero along a cosine.
        surrogate : str or callable
            The derivative of a spike, one of `nengo_dl.surrogates`, by default
            ``FastSigmoid(5.0)``.
        dt : float
            Length of a step, in seconds.
        minibatch_size : int
            How many items are trained side by side.
        verbose : int or str
            See ``keras.Model.fit``.

        Returns
        -------
        history : `keras.callbacks.History`
            The loss of each epoch.

        Raises
        ------
        ValueError
            If data does not fit the model, or nothing in the network spikes.

        Notes
        -----
        The loss of a classifier is the cross entropy :math:`-T^2 \sum_i p_i \log q_i`
        of probabilities :math:`p` of the model and :math:`q` of the network, softened
        by the temperature :math:`T`, by which their logits are divided: 3, or 1 with
        labels. Of other outputs, it is the squared error, as a part of the mean square
        of the model's output. Weights and biases are trained, and so are the shifts of
        normalisations; they are written into the network, averaged over about the last
        tenth of all minibatches. The model stays as it is.

        Hinton, Vinyals & Dean 2015, Distilling the knowledge in a neural network,
        https://arxiv.org/abs/1503.02531. Neftci, Mostafa & Zenke 2019, Surrogate
        gradient learning in spiking neural networks,
        https://doi.org/10.1109/MSP.2019.2931595

        Examples
        --------
        .. testcode::

           model = keras.Sequential(
               [
                   keras.Input((4,)),
                   keras.layers.Dense(20, activation="relu"),
                   keras.layers.Dense(3),
               ]
           )
           x = np.random.RandomState(0).uniform(size=(64, 4))
           spiking = {"relu": nengo_dl.IntegrateAndFire()}
           converter = nengo_dl.Converter(
               model, swap_activations=spiking, calibration_data=x
           )
           expected = model.predict(x, verbose=0)

           def error():
               return np.mean(np.abs(converter.predict(x, n_steps=4) - expected))

           before = error()
           history = converter.tune(x, epochs=20, n_steps=4)
           print(len(history.history["loss"]), error() < before)

        .. testoutput::

           20 True
        """
        where, source = "Converter.tune", self.conversion.source
        inputs = checked_inputs(where, source.inputs, x)
        labels = classes(where, source, y, len(inputs[0]))
        kinds = [p.neurons.ensemble.neuron_type for p in self.conversion.populations]
        if not any(kind.spiking for kind in kinds):
            raise ValueError(
                f"{where}: expected spiking neurons (got a network without any, which "
                "computes what the model computes). Pass swap_activations to the "
                "Converter."
            )
        training = Training(
            positive(where, "epochs", epochs),
            steps_of(where, source, inputs, n_steps),
            learning_rate,
            positive(where, "minibatch_size", minibatch_size),
            surrogate,
            dt,
            verbose,
        )
        history = distil(self.conversion, inputs, labels, training)
        vars(self).pop("recommended_steps", None)  # which is that of other weights
        return history

    def _run(
        self, name: str, x: Any, n_steps: int | None, dt: float, minibatch_size: int
    ) -> list[np.ndarray]:
        """Return the outputs in the shapes of the model, for the method of a name."""
        where, source = f"Converter.{name}", self.conversion.source
        inputs = checked_inputs(where, source.inputs, x)
        if n_steps is None and source.n_outer_axes == 1:
            n_steps = self._default_steps()
        n_steps = steps_of(where, source, inputs, n_steps)
        size = positive(where, "minibatch_size", minibatch_size)
        return readout.run(self.conversion, inputs, n_steps, dt, size)

    def _default_steps(self) -> int:
        kinds = [p.neurons.ensemble.neuron_type for p in self.conversion.populations]
        if not any(kind.spiking for kind in kinds) and self.conversion.synapse is None:
            return 1
        found = None if self._data is None else self.recommended_steps
        return found or DEFAULT_STEPS


def _advice(conversion: KerasConversion) -> str:
    """Say what may make average outputs agree with the model."""
    options = conversion.plan.options
    kinds = [p.neurons.ensemble.neuron_type for p in conversion.populations]
    if conversion.tunings is None:
        return "Leave scale_firing_rates out, so that rates follow the data."
    decides = any(spec.decide for spec in conversion.source.outputs)
    if options.output == "each_step" and decides:
        return 'Pass output="average", so that decisions are those of the mean.'
    if any(isinstance(kind, nengo.LIFRate) for kind in kinds):
        return (
            "Leaky neurons say little in few steps: train the network with "
            "Converter.tune, or use nengo_dl.IntegrateAndFire."
        )
    return (
        "Train the network with Converter.tune, raise target_rate, or pass "
        "per_channel=True."
    )
