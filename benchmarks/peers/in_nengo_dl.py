"""The cases in nengo_dl."""

import keras
import numpy as np

import nengo_dl
from benchmarks.peers.cases import data
from benchmarks.spiking_by_hand import make_network
from benchmarks.spiking_cases import make_weights


def make(case, is_held, use):
    """Return a function that trains on, or predicts, all minibatches."""
    net, _, _ = make_network(case, make_weights(case))
    sim = nengo_dl.Simulator(net, minibatch_size=case.n_items, progress_bar=False)
    sim.compile(
        keras.optimizers.SGD(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    x, y = map(np.concatenate, zip(*data(case, is_held), strict=True))
    n_steps = case.n_steps if is_held else None

    def train():
        sim.fit(x, y[:, None, None], n_steps=n_steps, verbose=0)

    def infer():
        return sim.predict(x, n_steps=n_steps, verbose=0)

    return train if use == "train" else infer
