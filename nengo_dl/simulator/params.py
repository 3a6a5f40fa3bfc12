"""The parameters of a network: what training and learning rules may change."""

import nengo
from nengo.builder import Model, Signal


def parameter_signals(model: Model) -> list[Signal]:
    """List the base signals of encoders, biases and connection weights.

    Parameters
    ----------
    model : `nengo.builder.Model`
        A built model.
    """
    sig = model.sig
    signals = []
    for obj in model.params:
        if isinstance(obj, nengo.Ensemble):
            signals += [sig[obj].get("encoders"), sig[obj.neurons].get("bias")]
        elif isinstance(obj, nengo.Connection):
            signals.append(sig[obj].get("weights"))
    return [signal.base for signal in signals if signal is not None]
