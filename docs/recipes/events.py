"""Train spiking neurons on recordings of an event camera."""

import keras
import numpy as np

import nengo_dl

rng = np.random.RandomState(0)
KIND = [("x", int), ("y", int), ("t", int), ("p", int)]  # those of tonic's data sets


def bar(label):
    """Record a bar that moves to the right (0), to the left, down or up (3)."""
    t, across = np.sort(rng.randint(20_000, size=300)), rng.randint(16, size=300)
    along = t * 16 // 20_000 if label % 2 == 0 else 15 - t * 16 // 20_000
    x, y = (along, across) if label < 2 else (across, along)
    return np.array(list(zip(x, y, t, rng.randint(2, size=300), strict=True)), KIND)


labels = rng.randint(4, size=400)
code = nengo_dl.coding.EventFrames(shape=(2, 16, 16), n_steps=20, window=0.001)
frames = code.encode([bar(label) for label in labels]).reshape(400, 20, -1)
layers = [nengo_dl.layers.LIF(64, synapse=0.01), keras.layers.Dense(4)]
model = keras.Sequential([keras.Input(frames.shape[1:]), *layers])
over_time = nengo_dl.losses.CrossentropyOverTime("mean")
metrics = [nengo_dl.metrics.AccuracyOverTime("mean")]
model.compile(keras.optimizers.Adam(0.01), over_time, metrics=metrics, jit_compile=True)
model.fit(frames[:320], labels[:320], epochs=10, verbose=0)
loss, accuracy = model.evaluate(frames[320:], labels[320:], batch_size=20, verbose=0)
print(f"accuracy: {accuracy:.1%}")
