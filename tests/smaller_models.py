"""Make the description of a model that differs from its conversion smaller."""

from tests.model_agreement import Outcome, compare

MAX_TRIES = 150
PLAIN = {
    "policy": "float32",
    "minibatch_size": 1,
    "n_steps": 1,
    "jit_compile": False,
    "run": "run_steps",
    "predict": False,
}


def smaller(spec, outcome, judge=compare):
    """Take parts away as long as the outcome stays the same in kind.

    Parameters
    ----------
    spec : dict
        The description of a model.
    outcome : `Outcome`
        What comes of it.
    judge : callable
        Returns the outcome of a description.

    Returns
    -------
    spec : dict
        One of those from which nothing more can be taken.
    outcome : `Outcome`
        What comes of that.
    """
    tries, found = 0, True
    while found and tries < MAX_TRIES:
        found = False
        for candidate in candidates(spec):
            tries += 1
            result = judge_safely(candidate, judge)
            if result.kind == outcome.kind and result.short == outcome.short:
                spec, outcome, found = candidate, result, True
                break
            if tries >= MAX_TRIES:
                break
    return spec, outcome


def judge_safely(spec, judge):
    """Return the outcome of a description that may be none of a model."""
    try:
        return judge(spec)
    except Exception as error:
        return Outcome("invalid", f"{type(error).__name__}: {error}")


def candidates(spec):
    """Yield smaller descriptions."""
    yield from smaller_graphs(spec)
    for name, value in PLAIN.items():
        if spec[name] != value:
            yield spec | {name: value}
    for name in spec["options"]:
        options = {k: v for k, v in spec["options"].items() if k != name}
        yield spec | {"options": options}
    yield from smaller_inputs(spec)


def smaller_graphs(spec):
    """Yield descriptions with fewer outputs, steps and arguments."""
    if len(spec["outputs"]) > 1:
        for ref in spec["outputs"]:
            yield spec | {"outputs": [ref]}
    for number in reversed(range(len(spec["steps"]))):
        node = len(spec["inputs"]) + number
        for ref in spec["steps"][number]["inputs"]:
            yield without(spec, node, ref)
    used = {ref[0] for step in spec["steps"] for ref in step["inputs"]}
    used |= {ref[0] for ref in spec["outputs"]}
    for node in range(len(spec["inputs"])):
        if node not in used and len(spec["inputs"]) > 1:
            yield without(spec, node, (0, 0))
    if spec["form"] not in ("single", "list"):
        yield spec | {"form": "single"}
    for number, step in enumerate(spec["steps"]):
        for changed in smaller_steps(step):
            steps = [*spec["steps"]]
            steps[number] = changed
            yield spec | {"steps": steps}


def smaller_steps(step):
    """Yield a step with fewer arguments, or with a smaller model inside."""
    if "model" in step:
        for inner in smaller_graphs(step["model"]):
            yield step | {"model": inner}
    for name in step.get("arguments", {}):
        arguments = {k: v for k, v in step["arguments"].items() if k != name}
        yield step | {"arguments": arguments}


def smaller_inputs(spec):
    """Yield descriptions with inputs of smaller shape."""
    for number, (shape, dtype) in enumerate(spec["inputs"]):
        for axis, length in enumerate(shape):
            if length is not None and length > 1:
                inputs = [*spec["inputs"]]
                new = (*shape[:axis], length - 1, *shape[axis + 1 :])
                inputs[number] = (new, dtype)
                yield spec | {"inputs": inputs}


def without(spec, node, ref):
    """Return a description without a node, whose users get another tensor."""

    def moved(each):
        each = ref if each[0] == node else each
        return (each[0] - (each[0] > node), each[1])

    first = len(spec["inputs"])
    steps = []
    for i, step in enumerate(spec["steps"]):
        if first + i == node:
            continue
        step = step | {"inputs": [moved(each) for each in step["inputs"]]}
        if "again" in step:
            step["again"] -= step["again"] > node
        steps.append(step)
    return spec | {
        "inputs": [x for i, x in enumerate(spec["inputs"]) if i != node],
        "steps": steps,
        "outputs": [moved(each) for each in spec["outputs"]],
        "form": "list"
        if spec["form"] == "sequential" and node < first
        else spec["form"],
    }
