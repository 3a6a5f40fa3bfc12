"""Which operators random Keras models are made of, each with what it is called with.

The keys are those of `tests.model_specs.EXPRESSIONS`, or names in ``keras.ops``. An
operator has choices for each argument, or a function that draws them for a shape.
"""

from tests.random_parts import factors

NUMBERS = [2.0, -0.5, 1, 0.3]
SEEDS = list(range(5))

PLAIN = [
    *("-x", "abs(x)", "x ** 2", "cast(argmax(x))"),
    *("relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus"),
    *("sigmoid", "tanh", "sin", "cos", "exp", "square", "abs", "negative", "sign"),
    *("softsign", "hard_sigmoid", "hard_silu", "log_sigmoid", "celu", "expm1"),
    *("floor", "stop_gradient", "copy", "ones_like", "zeros_like", "round", "arctan"),
]
OF_A_NUMBER = ["x + c", "c + x", "x - c", "c - x", "x * c", "c * x", "x / c"]
OF_A_NUMBER += ["c / (2 + abs(x))", "x * (x > c)"]
OF_TWO = ["x + y", "x + y", "x - y", "x * y", "x / (2 + abs(y))", "where(x > y, x, y)"]
OF_TWO += ["add", "subtract", "multiply", "maximum", "minimum", "hypot"]
REDUCTIONS = ["mean", "sum", "max", "min", "prod", "std", "var", "logsumexp"]


def number(rng, shape):
    """Draw a number."""
    del shape
    return {"c": rng.choice(NUMBERS)}


def array(rng, shape):
    """Draw an array that broadcasts against a shape."""
    kept = [n if rng.random() < 0.6 else 1 for n in shape]
    kept = kept[rng.randint(0, len(kept)) :]
    return {"c": ("array", rng.choice(SEEDS), tuple(kept))}


def matrix(rng, shape):
    """Draw a matrix to multiply with."""
    return {"c": ("array", rng.choice(SEEDS), (shape[-1], rng.randint(1, 3)))}


def key(rng, shape):
    """Draw what is between brackets."""
    parts = []
    for n in shape[: rng.randint(1, len(shape))]:
        start = rng.randint(0, n - 1)
        stop = rng.choice([None, rng.randint(start + 1, n)])
        step = rng.choice([None, None, 2])
        forms = [("slice", start, stop, step)] * 3
        forms += [("int", start), ("int", start - n), ("slice", None, None, -1)]
        parts.append(rng.choice(forms))
    if rng.random() < 0.2:
        parts.insert(rng.randint(0, len(parts)), ("new",))
    if rng.random() < 0.2:
        parts = [("rest",), parts[-1]]
    return {"key": tuple(parts)}


def axis(rng, shape):
    """Draw an axis."""
    rank = len(shape)
    return {"axis": rng.choice([rng.randint(1, rank), -rng.randint(1, rank)])}


def axes(rng, shape):
    """Draw one or several axes, and whether they are kept."""
    chosen = sorted(rng.sample(range(1, len(shape) + 1), rng.randint(1, len(shape))))
    one = axis(rng, shape)["axis"]
    return {
        "axis": rng.choice([one, one, tuple(chosen)]),
        "keepdims": rng.random() < 0.3,
    }


def new_shape(rng, shape):
    """Draw a shape of as many elements."""
    size = 1
    for length in shape:
        size *= length
    return {"newshape": (-1, *rng.choice(factors(size, rng.randint(1, 3))))}


def order(rng, shape):
    """Draw an order of axes."""
    axes = range(1, len(shape) + 1)
    return {"axes": (0, *rng.sample(axes, len(shape)))}


def clipped(rng, shape):
    """Draw limits."""
    del shape
    return rng.choice([{"x_min": -0.3, "x_max": 0.5}, {"x_min": 0.0, "x_max": 6.0}])


def padded(rng, shape):
    """Draw a padding."""
    pad = [(rng.randint(0, 1), rng.randint(0, 1)) for _ in shape]
    mode = rng.choice(["constant", "constant", "reflect", "symmetric"])
    return {"pad_width": ((0, 0), *pad), "mode": mode}


def rolled(rng, shape):
    """Draw a shift along an axis."""
    return {"shift": rng.choice([1, -2]), "axis": rng.randint(1, len(shape))}


def repeated(rng, shape):
    """Draw how often elements are repeated."""
    return {"repeats": 2, "axis": rng.randint(1, len(shape))}


def taken(rng, shape):
    """Draw which elements are taken along an axis."""
    chosen = rng.randint(1, len(shape))
    n = shape[chosen - 1]
    return {"indices": [rng.randrange(n) for _ in range(2)], "axis": chosen}


def tiled(rng, shape):
    """Draw how often a tensor is repeated along its axes."""
    return {"repeats": (1, *(rng.choice([1, 2]) for _ in shape))}


OF_SHAPES = {
    "x + array": array,
    "array * x": array,
    "x @ array": matrix,
    "x[key]": key,
    "softmax": axis,
    "log_softmax": axis,
    "expand_dims": axis,
    "flip": axis,
    "cumsum": axis,
    "split": axis,
    "unstack": axis,
    "squeeze": axis,
    "normalize": axis,
    "reshape": new_shape,
    "transpose": order,
    "clip": clipped,
    "pad": padded,
    "roll": rolled,
    "repeat": repeated,
    "take": taken,
    "tile": tiled,
    **dict.fromkeys(REDUCTIONS, axes),
    **dict.fromkeys(OF_A_NUMBER, number),
}
# in a temporal model, each step is on its own
OF_STEPS = [*PLAIN[:3], *PLAIN[4:-4], *OF_A_NUMBER, "clip", "softmax"]
OF_INTEGERS = [("one_hot", {"num_classes": 5}), ("cast", {"dtype": "float32"})]
OF_INTEGERS += [("x + c", {"c": 1}), ("x * c", {"c": 2}), ("x + y", {})]


def draw_operator(rng, shape, names=None):
    """Draw an operator of one tensor, and its arguments."""
    if names is None:
        names = [*PLAIN, *OF_SHAPES, *OF_SHAPES]
    name = rng.choice(names)
    return name, OF_SHAPES[name](rng, shape) if name in OF_SHAPES else {}
