"""Nengo objects that a model is converted to, and a record of whose they are.

Nothing here knows which library the model comes from.
"""

import math
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import Any, TypeAlias

import nengo
import numpy as np
from nengo.base import ObjView
from nengo.ensemble import Neurons
from nengo.neurons import NeuronType
from nengo.synapses import Synapse
from nengo.transforms import Transform

from nengo_dl.config import configure_settings
from nengo_dl.converter.conversion import Conversion, Made, Source
from nengo_dl.converter.forms import Clipped, Form, SoftmaxOver
from nengo_dl.converter.populations import Obj, Populations
from nengo_dl.converter.swaps import NO_SWAPS, Swap, Swaps
from nengo_dl.converter.tuning import Tuning
from nengo_dl.neurons import LeakyReLU
from nengo_dl.nodes.array_node import ArrayNode, Constant, Softmax
from nengo_dl.nodes.running_mean import RunningMean
from nengo_dl.nodes.tensor_node import TensorNode
from nengo_dl.wiring import set_wiring

AnySynapse: TypeAlias = Synapse | float | None


class Objects:
    """Makes the Nengo objects of a converted model, and records whose they are.

    Objects are made in the network whose context is open: the given one, or one inside
    of it. The synapse is that of connections that start at neurons. Without tunings of
    all populations, firing rates have the scale of each layer.
    """

    def __init__(
        self,
        net: nengo.Network,
        swaps: Swaps = NO_SWAPS,
        synapse: AnySynapse = None,
        tunings: tuple[Tuning, ...] | None = None,
    ):
        with net:
            configure_settings(trainable=None)
        self.net = net
        self.used_swaps: set[Swap] = set()
        self._swaps, self._synapse, self._tunings = swaps, synapse, tunings
        self._populations = Populations(net, tunings)
        self._made: dict[Hashable, Made] = {}
        self._scale, self._reason, self._averages = 1.0, "", False
        self._one: ArrayNode | None = None
        self._constant: set[nengo.Connection] = set()
        self._spiking: set[Obj] = set()
        self._of_means: set[Obj] = set()
        self._unfinished: dict[nengo.Node, Callable[[nengo.Node], Obj]] = {}

    def make(
        self,
        owner: Hashable,
        function: Callable[[], Obj | Iterable[Obj]],
        scale: float = 1.0,
        reason: str = "",
        averages: bool = False,
    ) -> tuple[Obj, ...]:
        """Make the objects of one call of a layer, and record them for an owner.

        The function returns the object that holds the output, or several. The scale is
        a factor on the firing rates of its neurons, the reason is why a TensorNode
        computes all of it, if one does. With ``averages``, what is no spikes itself is
        computed from the mean of the spikes so far.
        """
        net = nengo.Network.context[-1]
        before = [len(objs) for objs in _contents(net)]
        self._scale, self._reason, self._averages = scale, reason, averages
        result = function()
        outputs = result if isinstance(result, list | tuple) else [result]
        outputs = tuple(self.finish(obj) for obj in outputs)
        ensembles, nodes, conns, nets = (
            objs[n:] for objs, n in zip(_contents(net), before, strict=True)
        )
        ensembles += [ens for inner in nets for ens in inner.all_ensembles]
        nodes += [node for inner in nets for node in inner.all_nodes]
        conns += [conn for inner in nets for conn in inner.all_connections]
        if not self._reason and any(isinstance(node, TensorNode) for node in nodes):
            self._reason = "its converter makes a TensorNode"
        self._made[owner] = Made(
            outputs,
            tuple(ens.neurons for ens in ensembles),
            tuple(conn for conn in conns if conn not in self._constant),
            self._reason,
            bool(reason),
        )
        return outputs

    def conversion(
        self,
        source: Source,
        inputs: Iterable[nengo.Node],
        outputs: Iterable[nengo.Probe],
    ) -> Conversion:
        """Return all that was made, for one input node and one probe each."""
        outputs = tuple(outputs)
        return Conversion(
            source,
            self.net,
            tuple(inputs),
            outputs,
            frozenset(probe for probe in outputs if probe.target in self._of_means),
            frozenset(self._constant),
            dict(self._made),
            tuple(self._populations.made),
            self._tunings,
            self._synapse,
        )

    def probe(self, obj: Obj) -> nengo.Probe:
        """Make a probe of an output of the model."""
        return nengo.Probe(obj, synapse=self._behind(obj))

    def units(
        self,
        form: Form,
        shape: tuple[int, ...],
        label: str = "",
        channels: np.ndarray | None = None,
        axes: Callable[[tuple[int, ...]], tuple[int, ...]] | None = None,
    ) -> Obj:
        """Make the objects that compute an activation of a shape.

        Another takes its place if the replacements say so. Channels are as for
        `neurons`; ``axes`` leads from axes as the source model counts them to those of
        the shape. Inputs are connected to the object; what `finish` makes of it is the
        output.
        """
        found, is_swapped = self._swapped(form)
        size = math.prod(shape)
        if isinstance(found, NeuronType):
            neurons = self._population(found, size, label, channels, 0.0, is_swapped)
            return neurons if found.spiking else self._after_mean(neurons, size, label)
        if found is None:
            return nengo.Node(size_in=size, label=label)
        if isinstance(found, Clipped | SoftmaxOver):
            node = nengo.Node(size_in=size, label=_joined(label, "input"))
            if isinstance(found, Clipped):
                finish = partial(self._clipped, found, label, channels)
            else:
                over = axes(found.axes) if axes else found.axes
                finish = partial(self._softmax, Softmax(shape, shape, over), label)
            self._unfinished[node] = finish
            return node
        name = getattr(found, "__name__", str(found))
        self._reason = self._reason or f"activation {name} has no native Nengo form"
        return TensorNode(
            found, shape_in=shape, shape_out=shape, pass_time=False, label=label
        )

    def finish(self, obj: Obj) -> Obj:
        """Return the object that holds the output of what `units` has made."""
        finish = self._unfinished.pop(obj, None)
        return self._populations.output(obj) if finish is None else finish(obj)

    def neurons(
        self,
        neuron_type: NeuronType,
        size: int,
        label: str = "",
        channels: np.ndarray | None = None,
        bias: float = 0.0,
    ) -> Neurons:
        """Make neurons, of an ensemble of their own.

        Another neuron type takes the place of theirs if the replacements say so.
        Channels, of shape (size,), say to which one each neuron belongs. The bias is
        added to all inputs.
        """
        found, is_swapped = self._swapped(neuron_type)
        if not isinstance(found, NeuronType):  # which no neurons can stand in for
            found, is_swapped = neuron_type, False
        return self._population(found, size, label, channels, bias, is_swapped)

    def link(
        self,
        pre: Obj,
        post: Obj,
        transform: Any = None,
        trainable: bool | None = None,
        take: np.ndarray | None = None,
        into: np.ndarray | slice | None = None,
        synapse: AnySynapse = None,
        **kwargs: Any,
    ) -> nengo.Connection:
        """Connect two objects; ``**kwargs`` are more arguments of `nengo.Connection`.

        An array as the transform has the shape (size of ``post``, size of ``pre``);
        ``take`` and ``into`` are indices of the elements of both ends. The default
        synapse is that of the model behind neurons, and none elsewhere. Without a word
        on whether it is ``trainable``, and with a factor for each element, the
        connection is wiring to hardware.
        """
        pre = self._populations.output(pre)
        target = post.obj if isinstance(post, ObjView) else post
        if self.is_spiking(pre) and not isinstance(target, Neurons | TensorNode):
            self._spiking.add(target)
        conn = nengo.Connection(
            pre if take is None else pre[_compact(take, pre.size_out)],
            post if into is None else post[into],
            transform=transform,
            synapse=self._behind(pre) if synapse is None else synapse,
            **kwargs,
        )
        set_trainable(self.net, conn, bool(trainable))
        is_factor = not isinstance(transform, Transform) and np.ndim(transform) < 2
        if trainable is None or is_factor:
            set_wiring(self.net, conn)
        return conn

    def bias(
        self,
        obj: Obj,
        values: np.ndarray,
        index: np.ndarray | None = None,
        trainable: bool = False,
        label: str = "",
    ) -> None:
        """Add constants to what arrives at an object.

        They are stored as they are, whatever the firing rates: the gain of neurons
        counts for them, too. What is set as ``trainable`` for neurons, or their
        ensemble, goes first. With an index, element i gets constant index[i].
        """
        if self._one is None:
            with self.net:
                self._one = ArrayNode(Constant((), (1,)), label="one")
        column, name = np.reshape(values, (-1, 1)), _joined(label, "bias")
        relay = obj
        if index is not None:
            relay = nengo.Node(size_in=len(column), label=name)
        conn = self.link(self._one, relay, column, trainable, label=name)
        set_wiring(self.net, conn)
        self._constant.add(conn)
        if index is not None:
            self._constant.add(self.link(relay, obj, take=index, label=label))
        self._populations.add_bias(obj, conn)

    def is_spiking(self, obj: Obj) -> bool:
        """Whether the values of an object are spikes, or sums of them."""
        if isinstance(obj, Neurons):
            return obj.ensemble.neuron_type.spiking
        return obj in self._spiking

    def _swapped(self, form: Form) -> tuple[Form, bool]:
        """Return what stands in for a form, and whether it is something else."""
        found, used = self._swaps.find(form)
        self.used_swaps.update(used)
        return found, bool(used)

    def _population(self, kind, size, label, channels, bias, is_swapped) -> Neurons:
        if channels is None:
            channels = np.zeros(size, dtype=int)
        neurons = self._populations.make(
            kind, channels, label, bias, self._scale, is_swapped
        )
        if self.is_spiking(neurons):
            self._spiking.add(self._populations.output(neurons))
        return neurons

    def _behind(self, obj: Obj) -> AnySynapse:
        """Return the synapse on what starts at an object."""
        return self._synapse if self._populations.is_output(obj) else None

    def _clipped(self, form: Clipped, label, channels, node: nengo.Node) -> nengo.Node:
        slope, size = form.negative_slope, node.size_out
        kind = LeakyReLU(slope) if slope else nengo.RectifiedLinear()
        rising = self.neurons(kind, size, label, channels)
        name, offset = _joined(label, "above"), -form.max_value
        above = self.neurons(nengo.RectifiedLinear(), size, name, channels, offset)
        output = nengo.Node(size_in=size, label=label)
        self.link(node, rising, label=label)
        self.link(node, above, label=label)
        self.link(rising, output, label=label)
        self.link(above, output, -1, label=label)
        return output

    def _softmax(self, function: Softmax, label: str, node: nengo.Node) -> ArrayNode:
        output = ArrayNode(function, label=label)
        self._link_mean(node, output, label)
        return output

    def _after_mean(self, neurons: Neurons, size: int, label: str) -> Obj:
        """Return what inputs of neurons are connected to."""
        if not self._averages:
            return neurons
        node = nengo.Node(size_in=size, label=_joined(label, "input"))

        def finish(node: nengo.Node) -> Obj:
            self._link_mean(node, neurons, label)
            return self._populations.output(neurons)

        self._unfinished[node] = finish
        return node

    def _link_mean(self, node: nengo.Node, output: Obj, label: str) -> None:
        """Connect a node to an output, through a mean if spikes are to be averaged."""
        if self._averages and self.is_spiking(node):
            size, name = node.size_out, _joined(label, "mean")
            mean = nengo.Node(RunningMean(), size_in=size, size_out=size, label=name)
            # the mean of spikes does not spike, so it is not linked as if it did
            conn = nengo.Connection(node, mean, synapse=None, label=name)
            set_trainable(self.net, conn, False)
            set_wiring(self.net, conn)
            self._of_means.add(self._populations.output(output))
            node = mean
        self.link(node, output, label=label)


def set_trainable(net: nengo.Network, obj: Any, trainable: bool) -> None:
    """Set whether training changes an object; those with nothing to train stay."""
    if isinstance(obj, nengo.Ensemble | nengo.Connection | Neurons):
        net.config[obj].trainable = trainable


def _joined(label: str, part: str) -> str:
    """Return the label of a part of a layer."""
    return f"{label}.{part}" if label else part


def _contents(net: nengo.Network) -> tuple[list, ...]:
    return net.ensembles, net.nodes, net.connections, net.networks


def _compact(index: np.ndarray, size: int) -> slice | list[int]:
    """Return a list as a slice where it is one, which costs nothing."""
    index = np.asarray(index).ravel()
    start, stop = int(index[0]), int(index[-1]) + 1
    if np.array_equal(index, np.arange(start, stop)):
        return slice(None) if stop - start == size else slice(start, stop)
    return index.tolist()
