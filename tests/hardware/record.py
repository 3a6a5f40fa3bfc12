"""Run the cases of `tests.hardware.loihi_cases` in brian2_loihi.

``python -m tests.hardware.record`` writes ``tests/hardware/data/loihi.npz``: weights,
currents, voltages and spikes of each case. It needs the package ``brian2-loihi``
(Michaelis et al. 2022, https://doi.org/10.3389/fninf.2022.1015624), version 0.5.2 here.
"""

import brian2
import numpy as np
from brian2_loihi import (
    LoihiNetwork,
    LoihiNeuronGroup,
    LoihiSpikeGeneratorGroup,
    LoihiSpikeMonitor,
    LoihiStateMonitor,
    LoihiSynapses,
    synapse_sign_mode,
)

from tests.hardware.loihi_cases import (
    CASES,
    N_INPUTS,
    N_NEURONS,
    PATH,
    inputs,
    mantissas,
)


def synapses(source, target, mantissa, exponent):
    """Connect all to all, with weights of shape (size of target, size of source)."""
    made = LoihiSynapses(
        source, target, w_exp=exponent, sign_mode=synapse_sign_mode.MIXED
    )
    made.connect()
    made.w = mantissa[np.array(made.j), np.array(made.i)]
    full = np.zeros(mantissa.shape, dtype=int)
    full[np.array(made.j), np.array(made.i)] = made.w_act
    return made, full


def run(case):
    """Return the arrays of a case, by name."""
    steps, index = np.nonzero(inputs(case))
    source = LoihiSpikeGeneratorGroup(N_INPUTS, index, steps)
    group = LoihiNeuronGroup(
        N_NEURONS,
        refractory=case.refractory,
        threshold_v_mant=case.threshold,
        decay_v=case.decay_v,
        decay_I=case.decay_u,
    )
    made, weights = synapses(source, group, mantissas(case), case.exponent)
    parts, found = [source, group, made], {"weights": weights}
    if case.recurrent:
        own, found["recurrent"] = synapses(
            group, group, mantissas(case, N_NEURONS), case.exponent
        )
        parts.append(own)
    current = LoihiStateMonitor(group, "I")
    voltage = LoihiStateMonitor(group, "v")
    spikes = LoihiSpikeMonitor(group)
    net = LoihiNetwork(*parts, current, voltage, spikes)
    net.run(case.n_steps)
    spiked = np.zeros((case.n_steps, N_NEURONS), dtype=bool)
    # LoihiSpikeMonitor.t cuts off times like 4.00699999 ms
    steps = np.rint(np.array(spikes.t_) * 1000).astype(int)
    spiked[steps, np.array(spikes.i)] = True
    found |= {"current": current.I.T, "voltage": voltage.v.T}
    return {key: np.asarray(x).astype(np.int32) for key, x in found.items()} | {
        "spikes": np.packbits(spiked)
    }


def main():
    """Record all cases."""
    brian2.prefs.codegen.target = "numpy"
    found = {}
    for case in CASES:
        brian2.start_scope()
        arrays = run(case)
        n = np.unpackbits(arrays["spikes"]).sum()
        peaks = [np.abs(arrays[key]).max() for key in ("current", "voltage")]
        print(
            f"{case.name}: {n} spikes, currents to {peaks[0]}, voltages to {peaks[1]}"
        )
        found |= {f"{case.name}|{key}": x for key, x in arrays.items()}
    PATH.parent.mkdir(exist_ok=True)
    np.savez_compressed(PATH, **found)


if __name__ == "__main__":
    main()
