"""The cases that are compared: networks, with inputs that change or are held."""

from benchmarks import spiking_cases

VOLTAGE_DECAY, FILTER_DECAY = 0.951, spiking_cases.DECAY
N_CLASSES, N_MINIBATCHES = spiking_cases.N_CLASSES, 4
USES = ("train", "infer")
# By name: the network, and whether its input is the same in all steps
CASES = {
    f"{name}, {'held' if is_held else 'varying'}": (case, is_held)
    for name, case in spiking_cases.CASES.items()
    for is_held in (False, True)
}


def data(case, is_held):
    """Return inputs (items, n_steps or 1, size) and labels (items,) in minibatches."""
    images, labels = spiking_cases.make_data(case, N_MINIBATCHES)
    if not is_held:
        images = images.repeat(case.n_steps, axis=1)
    labels = labels.ravel()
    starts = range(0, len(images), case.n_items)
    return [
        (images[i : i + case.n_items], labels[i : i + case.n_items]) for i in starts
    ]
