import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_dl.engine.cuts import Cuts
from nengo_dl.engine.memory import Memory
from nengo_dl.graph import boxes, layout
from nengo_dl.graph.layout import Block, BlockPart, Layout

SIZES = (6, 4, 1)
LAYOUT = Layout(tuple(Block("state", size) for size in SIZES), {})


def elements(part):
    return slice(part.start, part.stop) if part.index is None else part.index


class Model:
    """The same memory as NumPy arrays."""

    def __init__(self, values, batch):
        self.blocks = [
            np.zeros((size, batch)) + values.get(i, 0) for i, size in enumerate(SIZES)
        ]

    def read(self, access):
        parts = [self.blocks[part.block][elements(part)] for part in access]
        return np.concatenate(parts)

    def write(self, access, mode, value):
        start = 0
        for part in access:
            new = np.broadcast_to(
                value[start : start + part.size],
                (part.size, self.blocks[0].shape[1]),
            )
            start += part.size
            target = self.blocks[part.block]
            if mode == "set":
                target[elements(part)] = new
            else:
                index = np.arange(len(target))[elements(part)]
                np.add.at(target, index, new)

    def fill(self, access, value):
        for part in access:
            self.blocks[part.block][elements(part)] = value


@st.composite
def parts(draw, repeats):
    """Draw a range or an index of one block."""
    block = draw(st.integers(0, len(SIZES) - 1))
    size = SIZES[block]
    if draw(st.booleans()):
        start = draw(st.integers(0, size - 1))
        return BlockPart(block, start, draw(st.integers(start + 1, size)))
    index = st.lists(
        st.integers(0, size - 1), min_size=1, max_size=size + 2, unique=not repeats
    )
    return BlockPart(block, 0, 0, np.array(draw(index)))


def accesses(repeats):
    return st.lists(parts(repeats), min_size=1, max_size=3).map(tuple)


@st.composite
def operations(draw):
    """Draw what to do, to which elements; whether the value is the same for all."""
    kind = draw(st.sampled_from(["set", "set", "inc", "inc", "fill", "read"]))
    access = draw(accesses(repeats=kind in ("inc", "read")))
    return kind, access, draw(st.booleans()), draw(st.integers(-9, 9))


def draw_values(seed, shape):
    # whole numbers: sums do not depend on their order
    return np.random.RandomState(abs(seed)).randint(-9, 10, size=shape).astype(float)


def matches(tensor, expected):
    assert tensor.shape[1] in (1, expected.shape[1])
    np.testing.assert_array_equal(
        np.broadcast_to(tensor.numpy(), expected.shape), expected
    )


@pytest.fixture(params=[1, layout.MIN_BOXED], autouse=True, scope="module")
def min_boxed(request):
    """Boxes stand for all indices that they can stand for, or for long ones alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "MIN_BOXED", request.param)
        patch.setattr(boxes, "MIN_SIZE", request.param)
        yield


@settings(max_examples=200, deadline=None)
@given(
    batch=st.sampled_from([1, 3]),
    shared=st.lists(st.sampled_from([True, False, None]), min_size=3, max_size=3),
    todo=st.lists(operations(), max_size=6),
    has_cuts=st.booleans(),
)
def test_memory_behaves_like_arrays(batch, shared, todo, has_cuts):
    values = {
        i: draw_values(i, (SIZES[i], 1 if is_shared else batch))
        for i, is_shared in enumerate(shared)
        if is_shared is not None
    }
    tensors = {i: tf.constant(value) for i, value in values.items()}
    model = Model(values, batch)
    memory = Memory(LAYOUT, tensors, tf.float64, cuts_of(todo) if has_cuts else None)
    for kind, access, is_shared, seed in todo:
        if kind == "read":
            matches(memory.read(access), model.read(access))
        elif kind == "fill":
            memory.fill(access, float(seed))
            model.fill(access, seed)
        else:
            size = sum(part.size for part in access)
            value = draw_values(seed, (size, 1 if is_shared else batch))
            memory.write(access, kind, tf.constant(value))
            model.write(access, kind, value)
    for number, expected in enumerate(model.blocks):
        matches(memory.block(number), expected)


def cuts_of(todo):
    return Cuts.of(LAYOUT, [access for _, access, _, _ in todo])


@settings(max_examples=100, deadline=None)
@given(todo=st.lists(operations(), max_size=6))
def test_cuts_leave_gradients_as_they_are(todo):
    x = {i: tf.constant(draw_values(i, (size, 2))) for i, size in enumerate(SIZES)}

    def gradients(cuts):
        with tf.GradientTape() as tape:
            tape.watch(x)
            memory, total = Memory(LAYOUT, x, tf.float64, cuts), 0.0
            for number, (kind, access, _, seed) in enumerate(todo):
                if kind == "fill":
                    memory.fill(access, float(seed))
                    continue
                found = memory.read(access)
                total += tf.reduce_sum(draw_values(number, found.shape) * found**2)
                if kind != "read":
                    memory.write(access, kind, found * seed)
            total += sum(tf.reduce_sum(memory.block(i) ** 2) for i in x)
        found = tape.gradient(total, x, unconnected_gradients="zero")
        return [tf.convert_to_tensor(gradient) for gradient in found.values()]

    both = gradients(cuts_of(todo)), gradients(None)
    for found, expected in zip(*both, strict=True):
        matches(found, expected.numpy())


@settings(max_examples=50, deadline=None)
@given(
    order=st.permutations([(i, j) for i, n in enumerate(SIZES) for j in range(n)]),
    mode=st.sampled_from(["set", "inc"]),
    as_index=st.booleans(),
)
def test_many_parts(order, mode, as_index):
    """Each is one element, and blocks alternate."""
    access = tuple(
        BlockPart(i, 0, 0, np.array([j])) if as_index else BlockPart(i, j, j + 1)
        for i, j in order
    )
    values = {i: draw_values(i, (size, 2)) for i, size in enumerate(SIZES)}
    tensors = {i: tf.constant(value) for i, value in values.items()}
    memory, model = Memory(LAYOUT, tensors, tf.float64), Model(values, 2)
    matches(memory.read(access), model.read(access))
    value = draw_values(3, (len(access), 2))
    memory.write(access, mode, tf.constant(value))
    model.write(access, mode, value)
    for number, expected in enumerate(model.blocks):
        matches(memory.block(number), expected)


def memory_of(*values, dtype=tf.float64):
    layout = Layout((Block("state", len(values)),), {})
    return Memory(layout, {0: tf.constant(values, dtype)[:, None]}, dtype)


def test_memory_starts_as_zeros():
    memory = Memory(LAYOUT, {}, tf.float32)
    for number, size in enumerate(SIZES):
        assert memory.block(number).dtype == tf.float32
        matches(memory.block(number), np.zeros((size, 1)))


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_reading_nothing(dtype):
    values = memory_of(1, 2, dtype=dtype).read(())
    assert values.shape == (0, 1) and values.dtype == dtype


def test_what_was_written_is_read_without_a_copy():
    memory = memory_of(1, 2, 3, 4)
    written = tf.constant([[7.0], [8.0]], tf.float64)
    memory.write((BlockPart(0, 1, 3),), "set", written)
    assert memory.read((BlockPart(0, 1, 3),)) is written


def test_increments_of_zeros_cost_nothing():
    memory = Memory(LAYOUT, {}, tf.float64)
    value = tf.constant([[1.0], [2.0]], tf.float64)
    memory.write((BlockPart(0, 2, 4),), "inc", value)
    assert memory.read((BlockPart(0, 2, 4),)) is value
    memory.write((BlockPart(0, 2, 4),), "inc", value)
    matches(memory.read((BlockPart(0, 1, 5),)), np.array([[0.0, 2.0, 4.0, 0.0]]).T)


def test_repeated_increments_add_up():
    memory = memory_of(0, 10, 20)
    index = BlockPart(0, 0, 0, np.array([1, 1, 0, 1]))
    memory.write((index,), "inc", tf.constant([[1.0], [2.0], [3.0], [4.0]], tf.float64))
    matches(memory.block(0), np.array([[3.0, 17.0, 20.0]]).T)


def test_a_copy_is_independent():
    memory = memory_of(1, 2)
    copy = memory.copy()
    copy.fill((BlockPart(0, 0, 1),), 5.0)
    matches(memory.block(0), np.array([[1.0, 2.0]]).T)
    matches(copy.block(0), np.array([[5.0, 2.0]]).T)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_memory_in_a_graph(jit_compile):
    @tf.function(jit_compile=jit_compile)
    def run(x):
        memory = Memory(LAYOUT, {0: x}, tf.float64)
        memory.write((BlockPart(1, 0, 0, np.array([3, 0])),), "set", x[1:3])
        memory.write((BlockPart(0, 0, 3), BlockPart(1, 1, 2)), "inc", x[:4])
        memory.fill((BlockPart(0, 0, 0, np.array([5, 3])),), 2.0)
        return memory.block(0), memory.block(1)

    x = np.array([[1.0, 2, 3, 4, 5, 6], [-1, -2, -3, -4, -5, -6]]).T
    first, second = run(tf.constant(x))
    matches(first, np.array([[2.0, 4, 6, 2, 5, 2], [-2, -4, -6, 2, -5, 2]]).T)
    matches(second, np.array([[3.0, 4, 0, 2], [-3, -4, 0, -2]]).T)
