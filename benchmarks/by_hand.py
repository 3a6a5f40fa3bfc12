"""Three networks written by hand, each as one fused TensorFlow function.

They do the arithmetic of `benchmarks.networks` and nothing else: every array has the
shape that suits this one network, and the whole loop over time is compiled. Parameters
and initial state are read from a built `nengo.Simulator`. The batch has one item. Each
function is a whole network, in one piece, and so longer than functions are elsewhere.
"""

import numpy as np
import tensorflow as tf

DT = 0.001
TAU_RC = 0.02
TAU_REF = 0.002
PER_NEURON = ("gain", "bias")


class HandWritten:
    """A simulator, as far as a benchmark needs one.

    Parameters
    ----------
    step : callable
        ``step(params, state, feed) -> state, output``.
    params, state : tuple of ndarray
        What stays the same, and what a step changes.
    feeds : ndarray of shape (length, size)
        Input for each step; it starts again when it is used up.
    size_out : int
        Size of the output.
    jit_compile : bool
        Whether XLA compiles the loop.
    """

    def __init__(self, step, params, state, feeds, size_out, jit_compile=True):
        self.params = _tensors(params)
        self.state = _tensors(state)
        self.feeds = tf.constant(feeds, tf.float32)
        self.length = len(feeds)
        self._run = _compiled_loop(step, self.length, size_out, jit_compile)

    def run_steps(self, n_steps, progress_bar=False):
        """Run a number of steps, at most the length of the feeds.

        Returns
        -------
        output : ndarray of shape (n_steps, size_out)
        """
        del progress_bar
        if n_steps > self.length:
            raise ValueError(f"at most {self.length} steps (got {n_steps})")
        self.state, buffer = self._run(
            self.params, self.state, self.feeds, tf.constant(n_steps)
        )
        return buffer.numpy()[:n_steps]


def _tensors(arrays):
    return tuple(
        tf.constant(a, tf.int32 if np.asarray(a).dtype.kind == "i" else tf.float32)
        for a in arrays
    )


def _compiled_loop(step, length, size_out, jit_compile):
    """Compile a loop whose number of steps is known at run time only."""

    @tf.function(jit_compile=jit_compile)
    def run(params, state, feeds, n_steps):
        def body(i, state, buffer):
            state, output = step(params, state, feeds[i])
            buffer = tf.tensor_scatter_nd_update(buffer, [[i]], output[None])
            return i + 1, state, buffer

        carried = (tf.constant(0), state, tf.zeros((length, size_out)))
        _, state, buffer = tf.while_loop(lambda i, *_: i < n_steps, body, carried)
        return state, buffer

    return run


def lif(current, voltage, refractory_time, amplitude=1.0):
    """Advance LIF neurons by one step, with spike times inside of the step."""
    refractory_time = refractory_time - DT
    active = tf.clip_by_value(DT - refractory_time, 0.0, DT)
    voltage = voltage - (current - voltage) * tf.math.expm1(-active / TAU_RC)
    spiked = voltage > 1
    overshoot = (voltage - 1) / tf.where(spiked, current - 1, 1.0)
    spike_time = DT + TAU_RC * tf.math.log1p(-tf.where(spiked, overshoot, 0.0))
    refractory_time = tf.where(spiked, TAU_REF + spike_time, refractory_time)
    voltage = tf.where(spiked, 0.0, tf.maximum(voltage, 0.0))
    return tf.where(spiked, amplitude / DT, 0.0), voltage, refractory_time


def lowpass(value, target, tau):
    """Advance a first-order filter by one step."""
    decay = np.exp(-DT / tau).astype(np.float32)
    return decay * value + (1 - decay) * target


def integrator(net, sim, length):
    """Write `networks.integrator` by hand."""
    (ensemble,) = net.ensembles
    from_stimulus, recurrent = net.connections
    (probe,) = net.probes
    tau = recurrent.synapse.tau
    built = sim.data[ensemble]
    params = (
        built.scaled_encoders[:, 0],
        built.bias,
        sim.data[recurrent].weights[0],
        _probe_weights(sim, probe)[0],
        from_stimulus.transform.init * net.nodes[0].output[0],
    )
    state = (*_neuron_state(sim, ensemble), 0.0, 0.0, 0.0)

    def step(params, state, feed):
        del feed
        encoders, bias, weights, probe_weights, stimulus = params
        voltage, refractory_time, filtered_input, filtered_self, probed = state
        current = encoders * (filtered_input + filtered_self) + bias
        spikes, voltage, refractory_time = lif(current, voltage, refractory_time)
        output = probed[None]
        filtered_input = lowpass(filtered_input, stimulus, tau)
        filtered_self = lowpass(filtered_self, tf.reduce_sum(weights * spikes), tau)
        probed = lowpass(
            probed, tf.reduce_sum(probe_weights * spikes), probe.synapse.tau
        )
        state = (voltage, refractory_time, filtered_input, filtered_self, probed)
        return state, output

    return HandWritten(step, params, state, np.zeros((length, 0)), 1)


def ensembles(net, sim, length, decode_by="connection"):
    """Write `networks.ensembles` by hand: one row of each array is one ensemble.

    With ``decode_by="connection"`` the spikes are copied for every connection and
    multiplied with its decoders. With "ensemble" each ensemble's spikes are multiplied
    with a matrix of all decoders that it has, and with zeros where it has fewer than
    another one: more arithmetic, and fewer copies.
    """
    row = {ensemble: i for i, ensemble in enumerate(net.ensembles)}
    inner = [c for c in net.connections if c.pre_obj in row]
    tau, tau_probe = inner[0].synapse.tau, net.probes[0].synapse.tau
    n_probes = len(net.probes)
    weights = np.stack([sim.data[c].weights[0] for c in inner])
    pre = np.array([row[c.pre_obj] for c in inner])
    outgoing = _padded(pre, len(row))
    # where a connection's value is, if all lines of `outgoing` are put in a row
    place = np.argsort(outgoing, axis=None)[: len(inner)]
    by_connection = decode_by == "connection"
    if not by_connection:
        weights = np.concatenate([weights, np.zeros_like(weights[:1])])[outgoing]
    built = [sim.data[ensemble] for ensemble in net.ensembles]
    params = (
        np.stack([b.scaled_encoders[:, 0] for b in built]),
        np.stack([b.bias for b in built]),
        weights,
        pre if by_connection else place,
        _padded([row[c.post_obj] for c in inner], len(row)),
        np.stack([_probe_weights(sim, p)[0] for p in net.probes]),
        net.nodes[0].output,
    )
    neurons = [_neuron_state(sim, ensemble) for ensemble in net.ensembles]
    state = (
        *(np.stack(parts) for parts in zip(*neurons, strict=True)),
        np.zeros(len(row)),
        np.zeros(len(inner)),
        np.zeros(n_probes),
    )

    def decode(spikes, weights, indices):
        if by_connection:
            return tf.reduce_sum(weights * tf.gather(spikes, indices), axis=1)
        values = tf.einsum("ecn,en->ec", weights, spikes)
        return tf.gather(tf.reshape(values, (-1,)), indices)

    def step(params, state, feed):
        del feed
        encoders, bias, weights, indices, incoming, probe_weights, stimulus = params
        voltage, refractory_time, filtered_input, filtered, probed = state
        padded = tf.concat([filtered, [0.0]], axis=0)
        arrived = tf.reduce_sum(tf.gather(padded, incoming), axis=1)
        current = encoders * (filtered_input + arrived)[:, None] + bias
        spikes, voltage, refractory_time = lif(current, voltage, refractory_time)
        output = probed
        filtered_input = lowpass(filtered_input, stimulus, tau)
        filtered = lowpass(filtered, decode(spikes, weights, indices), tau)
        seen = tf.reduce_sum(probe_weights * spikes[:n_probes], axis=1)
        probed = lowpass(probed, seen, tau_probe)
        return (voltage, refractory_time, filtered_input, filtered, probed), output

    return HandWritten(step, params, state, np.zeros((length, 0)), n_probes)


def _padded(ends, n_ensembles):
    """List the connections of each ensemble; fill up with the index of none."""
    lines = [np.flatnonzero(np.equal(ends, i)) for i in range(n_ensembles)]
    width = max(map(len, lines))
    return np.stack(
        [np.pad(x, (0, width - len(x)), constant_values=len(ends)) for x in lines]
    )


def conv(net, sim, length, jit_compile=True):
    """Write `networks.conv` by hand; the images are run-time data."""
    first, second = net.ensembles
    to_first, to_second, to_output = net.connections
    amplitude = first.neuron_type.amplitude
    tau, tau_probe = to_second.synapse.tau, net.probes[0].synapse.tau
    params = (
        sim.data[to_first].weights,
        sim.data[to_second].weights,
        sim.data[to_output].weights,
        *(getattr(sim.data[e], name) for e in (first, second) for name in PER_NEURON),
    )
    state = (
        *_neuron_state(sim, first),
        *_neuron_state(sim, second),
        np.zeros(second.n_neurons),
        np.zeros(to_output.size_out),
        np.zeros(to_output.size_out),
    )
    presented = net.nodes[0].output
    each = round(presented.presentation_time / DT)
    order = (np.arange(length) // each) % len(presented.inputs)

    def convolve(x, kernel, transform):
        x = tf.reshape(x, (1, *transform.input_shape.shape))
        x = tf.nn.conv2d(x, kernel, transform.strides, transform.padding.upper())
        return tf.reshape(x, (-1,))

    def step(params, state, image):
        kernel_1, kernel_2, weights, gain_1, bias_1, gain_2, bias_2 = params
        v_1, r_1, v_2, r_2, filtered, filtered_output, probed = state
        current_1 = gain_1 * convolve(image, kernel_1, to_first.transform) + bias_1
        spikes_1, v_1, r_1 = lif(current_1, v_1, r_1, amplitude)
        current_2 = gain_2 * filtered + bias_2
        spikes_2, v_2, r_2 = lif(current_2, v_2, r_2, amplitude)
        output = probed
        probed = lowpass(probed, filtered_output, tau_probe)
        arrived = convolve(spikes_1, kernel_2, to_second.transform)
        filtered = lowpass(filtered, arrived, tau)
        result = tf.linalg.matvec(weights, spikes_2)
        filtered_output = lowpass(filtered_output, result, tau)
        return (v_1, r_1, v_2, r_2, filtered, filtered_output, probed), output

    feeds = presented.inputs[order]
    return HandWritten(step, params, state, feeds, to_output.size_out, jit_compile)


def _neuron_state(sim, ensemble):
    """Return initial voltage and refractory time."""
    signals = sim.model.sig[ensemble.neurons]
    return tuple(signals[name].initial_value for name in ("voltage", "refractory_time"))


def _probe_weights(sim, probe):
    """Return the decoders that Nengo has made for a probe."""
    (connection,) = (
        c for c in sim.model.params if getattr(c, "post_obj", None) is probe
    )
    return sim.data[connection].weights
