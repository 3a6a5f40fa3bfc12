"""Methods of the `Simulator` that read, save and change parameters."""

import warnings
from collections.abc import Iterable
from os import PathLike
from typing import Any

import nengo

from nengo_dl.simulator.nengo_parameters import NengoObjects, NengoParameters
from nengo_dl.simulator.parameter_files import ParameterFiles
from nengo_dl.simulator.stacklevel import user_level


class ParameterMethods:
    """Public methods on parameters, which need nothing else of a `Simulator`.

    Parameters
    ----------
    files : `ParameterFiles`
        Saves and loads them.
    objects : `NengoParameters`
        Has them as arguments and attributes of Nengo objects.
    """

    def __init__(self, files: ParameterFiles, objects: NengoParameters):
        self._files = files
        self._objects = objects

    def save_params(
        self,
        path: str | PathLike,
        include_state: bool = False,
        include_non_trainable: bool | None = None,
        include_optimizer: bool = False,
    ) -> None:
        """Save all parameters, also those that no training changes.

        Parameters
        ----------
        path : str or PathLike
            The file is ``path + ".npz"``, which is replaced if it is there.
        include_state : bool
            Whether to save the state of the simulation as well, e.g. voltages, and
            where all random streams are. Another simulator of the network goes on from
            there. What node functions keep for themselves is not saved, nor what
            processes keep elsewhere than in the arrays of ``make_state``.
        include_non_trainable : bool, optional
            Deprecated name of `include_state`.
        include_optimizer : bool
            Whether to save the state of the optimizer as well, e.g. its momenta and
            learning rate, so that training goes on from there.

        Raises
        ------
        OSError
            If the file cannot be written.
        SimulationError
            If there is no optimizer to be saved.

        Examples
        --------
        .. testcode::

           import os, tempfile

           with nengo.Network(seed=0) as net:
               ens = nengo.Ensemble(10, 1, label="ens")
           with (
               tempfile.TemporaryDirectory() as folder,
               nengo_dl.Simulator(net, progress_bar=False) as sim,
           ):
               path = os.path.join(folder, "params")
               sim.save_params(path)
               sim.load_params(path)
               with np.load(path + ".npz") as file:
                   print(file["ens.encoders"].shape)

        .. testoutput::

           (10, 1)
        """
        state = _or_deprecated(include_state, include_non_trainable)
        self._files.save(path, state, include_optimizer)

    def load_params(
        self,
        path: str | PathLike,
        include_state: bool = False,
        include_non_trainable: bool | None = None,
        include_optimizer: bool = False,
    ) -> None:
        """Load what `save_params` has saved, into this or an equal network.

        The minibatch size may be another, except for the state, and for weights that
        have been learned online, if they differ between the items.

        Parameters
        ----------
        path : str or PathLike
            The file is ``path + ".npz"``.
        include_state : bool
            Whether the file holds the state of the simulation.
        include_non_trainable : bool, optional
            Deprecated name of `include_state`.
        include_optimizer : bool
            Whether the file holds the state of the optimizer, which the simulator has
            to be compiled with.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        SimulationError
            If the file does not fit, or is damaged, or if weights are those of a chip
            (`.Simulator.program`). Nothing has been changed then.
        """
        state = _or_deprecated(include_state, include_non_trainable)
        self._files.load(path, state, include_optimizer)

    def get_nengo_params(
        self, nengo_objs: NengoObjects, as_dict: bool = False
    ) -> dict[str, Any] | list[dict[str, Any]]:
        """Return the arguments that build Nengo objects with the current parameters.

        Parameters
        ----------
        nengo_objs : Ensemble or Neurons or Connection, or iterable of them
            Objects of the network. Neurons stand for their ensemble.
        as_dict : bool
            Whether to return a dict by the objects' labels.

        Returns
        -------
        params : dict or list of dict or dict of dict
            Keyword arguments of one object, of several in their order, or by label. An
            ensemble keeps the gains it was built with; what has been learned is in its
            encoders. A connection that decodes has its decoders in ``solver`` and a
            ``function`` that only tells their number; others have a ``transform``.

        Raises
        ------
        ValueError
            If an object is not part of the network or has no parameters (like an
            ensemble in Direct mode), if labels are not unique, or if minibatch items
            have learned different values.
        NotImplementedError
            If a connection has a transform of an unknown type.

        Examples
        --------
        .. testcode::

           with nengo.Network(seed=0) as net:
               ens = nengo.Ensemble(10, 1)

           with nengo_dl.Simulator(net, progress_bar=False) as sim:
               params = sim.get_nengo_params(ens)

           with nengo.Network() as other:
               copy = nengo.Ensemble(10, 1, **params)
           print(sorted(params))

        .. testoutput::

           ['bias', 'encoders', 'gain', 'intercepts', 'max_rates', 'normalize_encoders']
        """
        return self._objects.arguments(nengo_objs, as_dict)

    def freeze_params(
        self, objs: nengo.Network | NengoObjects | Iterable[nengo.Network]
    ) -> None:
        """Write the current parameters into the Nengo objects that are simulated.

        ``nengo.Simulator(network)`` then starts from what was trained or learned here.
        Weights on hardware (:doc:`hardware`) are written as the hardware holds them.
        Tiles stay behind: Nengo computes exact products.

        Parameters
        ----------
        objs : Network or Ensemble or Connection, or iterable of them
            What to change. A network stands for all ensembles and connections in it,
            and for the decoders of its probes; ensembles in Direct mode and nodes have
            no parameters, and stay as they are.

        Raises
        ------
        TypeError
            If an object is of another type.
        ValueError
            If an object is not part of the network, or if minibatch items have learned
            different values. Nothing has been changed then.
        NotImplementedError
            If a connection has a transform of an unknown type.

        Warns
        -----
        UserWarning
            If weights are on tiles.

        Examples
        --------
        .. testcode::

           with nengo.Network(seed=0) as net:
               ens = nengo.Ensemble(10, 1)
               conn = nengo.Connection(ens, ens)

           with nengo_dl.Simulator(net, progress_bar=False) as sim:
               sim.freeze_params(net)
           print(conn.solver.values.shape)

        .. testoutput::

           (10, 1)
        """
        self._objects.freeze(objs)


def _or_deprecated(include_state: bool, include_non_trainable: bool | None) -> bool:
    """Return an argument, or what it is by its old name."""
    if include_non_trainable is None:
        return include_state
    warnings.warn(
        "include_non_trainable is deprecated: all parameters are saved anyway. Use "
        "include_state for the state of the simulation.",
        DeprecationWarning,
        stacklevel=user_level(),
    )
    return include_non_trainable
