"""Parameter files: written whole, read without trust."""

import io
import os
import pickle
import stat
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from nengo.exceptions import SimulationError, ValidationError
from numpy.lib import format as npy

from nengo_dl.simulator import atomic, npz, npz_members
from nengo_dl.simulator.npz_members import ArraySpec

RNG = np.random.RandomState(0)
ARRAYS = {
    "a.weights": RNG.uniform(-1, 1, (3, 4)).astype("float32"),
    "a.bias": RNG.uniform(-1, 1, 4).astype("float32"),
    "gain": np.array(2.5, dtype="float32"),
    "n_steps": np.array(7),
}
EXPECTED = {
    name: ArraySpec(array.shape, array.dtype.name) for name, array in ARRAYS.items()
}
NAMES = (
    "",
    "a/b/c",
    "../../a",
    "/etc/a",
    ".",
    "..",
    "arr_0",
    "file",
    "allow_pickle",
    "a.npy",
    "a.npz",
    "%6e%2f",
    "%nengo_dl",
    "%25nengo_dl",
    "C:\\a",
    "a\0b",
    "a\nb",
    "<Connection from 'a' to \"b\">",
    "größe → 大",
    "A",
    "a" * 300,
    "a" * 70_000,
    "a" * 70_000 + "b",
    "大" * 30_000,
    "a\ud800b",
)


def assert_equal(actual, expected):
    assert list(actual) == list(expected)
    for name, array in expected.items():
        assert actual[name].dtype == array.dtype
        assert actual[name].shape == array.shape
        np.testing.assert_array_equal(actual[name], array)


def entry_of(array, **kwargs):
    return ArraySpec(array.shape, array.dtype.name, **kwargs)


@pytest.fixture
def path(tmp_path):
    """Return a path without ".npz"."""
    return tmp_path / "params"


def npz_path(path):
    return path.parent / (path.name + ".npz")


def fails(path, message, expected=EXPECTED):
    with pytest.raises(SimulationError, match=message) as info:
        npz.read(path, expected)
    assert str(info.value).startswith(
        f"Simulator.load_params '{npz_path(path)}': expected "
    )


# --- what is written can be read --------------------------------------------------


@pytest.mark.parametrize("as_text", [True, False])
def test_writing_then_reading_is_identity(path, as_text):
    path = os.fspath(path) if as_text else path
    npz.write(path, ARRAYS)
    assert_equal(npz.read(path, EXPECTED), ARRAYS)
    for array in npz.read(path, EXPECTED).values():
        array[...] = 1  # which can be changed


def test_any_name_will_do(path):
    arrays = {name: np.array([i, -i]) for i, name in enumerate(NAMES)}
    expected = {name: entry_of(array) for name, array in arrays.items()}
    npz.write(path, arrays)
    assert_equal(npz.read(path, expected), arrays)


@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (1,), (5,), (2, 3, 4)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_shape_will_do(path, shape, order):
    array = np.array(RNG.uniform(size=shape), order=order)
    npz.write(path, {"a": array})
    assert_equal(npz.read(path, {"a": entry_of(array)}), {"a": array})
    np.savez(npz_path(path), array)  # keeps the order
    assert_equal(npz.read(path, {"a": entry_of(array)}), {"a": array})


def test_no_arrays(path):
    npz.write(path, {})
    assert npz.read(path, {}) == {}


def test_values_are_kept_whatever_they_are(path):
    array = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 3e38], dtype="float32")
    npz.write(path, {"a": array})
    (loaded,) = npz.read(path, {"a": entry_of(array)}).values()
    assert loaded.tobytes() == array.tobytes()


def test_order_does_not_matter(path):
    npz.write(path, dict(reversed(ARRAYS.items())))
    assert_equal(npz.read(path, EXPECTED), ARRAYS)


def test_numpy_reads_names(path):
    npz.write(path, ARRAYS)
    with np.load(npz_path(path), allow_pickle=False) as loaded:
        assert set(loaded.files) == {npz.MARKER, *ARRAYS}
        np.testing.assert_array_equal(loaded["a.weights"], ARRAYS["a.weights"])


def test_files_are_compressed(path):
    array = np.zeros((1000, 100))
    npz.write(path, {"a": array})
    assert npz_path(path).stat().st_size < array.nbytes / 100


@pytest.mark.parametrize(
    "stored, wanted",
    [("float64", "float32"), ("float32", "float64"), (">f8", "float32")]
    + [("int64", "float32"), ("float16", "float32"), ("bool", "int64")],
)
def test_numbers_are_converted(path, stored, wanted):
    array = np.array([0, 1, 1], dtype=stored)
    npz.write(path, {"a": array})
    assert_equal(
        npz.read(path, {"a": ArraySpec((3,), wanted)}), {"a": array.astype(wanted)}
    )


# --- writing is all or nothing ----------------------------------------------------


def test_files_are_replaced(path):
    npz.write(path, {"old": np.ones(3)})
    npz.write(path, ARRAYS)
    assert_equal(npz.read(path, EXPECTED), ARRAYS)
    assert os.listdir(path.parent) == ["params.npz"]


@pytest.mark.parametrize("error", [OSError(28, "disk full"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file(path, error):
    class Failing:
        def __array__(self, dtype=None, copy=None):
            raise error

    npz.write(path, ARRAYS)
    with pytest.raises(type(error)):
        npz.write(path, {**ARRAYS, "last": Failing()})
    assert_equal(npz.read(path, EXPECTED), ARRAYS)
    assert os.listdir(path.parent) == ["params.npz"]


def test_objects_are_not_written(path):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        npz.write(path, {"a": np.array([{}])})
    assert os.listdir(path.parent) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs links and permissions")
def test_links_and_permissions(path):
    other = path.parent / "folder" / "other.npz"
    other.parent.mkdir()
    npz_path(path).symlink_to(other)
    npz.write(path, ARRAYS)
    assert npz_path(path).is_symlink() and other.exists()
    plain = path.parent / "plain"
    plain.touch()
    assert stat.S_IMODE(other.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_no_folder(path):
    message = "save_params: expected a place .*No such file.*Make the folder"
    with pytest.raises(FileNotFoundError, match=message):
        npz.write(path / "a", ARRAYS)


def test_no_place(path):
    npz_path(path).mkdir()
    with pytest.raises(OSError, match="save_params: expected a place where"):
        npz.write(path, ARRAYS)
    path.touch()
    with pytest.raises(NotADirectoryError, match="save_params: expected a place where"):
        npz.write(path / "a", ARRAYS)
    assert sorted(os.listdir(path.parent)) == ["params", "params.npz"]


# --- what cannot be opened --------------------------------------------------------


def test_no_file(path):
    message = r"load_params: expected a file '.*params.npz' \(got none\).*save_params\."
    with pytest.raises(FileNotFoundError, match=message):
        npz.read(path, EXPECTED)
    npz.write(path, ARRAYS)
    with pytest.raises(FileNotFoundError, match="save_params, without '.npz'"):
        npz.read(f"{path}.npz", EXPECTED)


def test_no_right_to_read(path):
    npz_path(path).mkdir()
    with pytest.raises(OSError, match="load_params: expected to open .*can be read"):
        npz.read(path, EXPECTED)


# --- names, shapes and dtypes that differ -----------------------------------------


def test_all_differences_are_listed(path):
    npz.write(
        path,
        {
            "b.weights": ARRAYS["a.weights"],
            "a.bias": np.ones(5),
            "gain": np.ones(2),
            "n_steps": np.array(1.5),
            "unrelated": np.ones(3),
        },
    )
    fails(path, "the arrays of this simulation")
    for line in (
        "  - 'a.weights' is missing. Did you mean 'b.weights'?",
        "  - 'a.bias': expected shape (4,), got (5,)",
        "  - 'gain': expected shape (), got (2,)",
        "  - 'n_steps': expected dtype int64, got float64",
        "  - 'unrelated' is not part of this simulation",
        "  - 'b.weights' is not part of this simulation",
        "Nothing has been loaded.",
    ):
        with pytest.raises(SimulationError) as info:
            npz.read(path, EXPECTED)
        assert line in str(info.value)


def test_a_name_of_another_shape_is_not_suggested(path):
    npz.write(path, {"b.bias": np.ones(5)})
    fails(path, r"'a.bias' is missing.\n", {"a.bias": ArraySpec((4,))})


def test_long_lists_are_cut(path):
    npz.write(path, {f"other{i}": np.ones(1) for i in range(1000)})
    with pytest.raises(SimulationError, match="and 984 more") as info:
        npz.read(path, EXPECTED)
    assert len(str(info.value).splitlines()) == npz.MAX_LISTED + 2


@pytest.mark.parametrize("value", [1e39, -1e300])
def test_values_must_fit(path, value):
    npz.write(path, {"a": np.array([0, value])})
    message = r"values of 'a' within the range of float32 .*dtype='float64'"
    fails(path, message, {"a": ArraySpec((2,))})
    assert npz.read(path, {"a": ArraySpec((2,), "float64")})["a"][1] == value


# --- minibatch items --------------------------------------------------------------

ITEM = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize("count", [1, 3, 4])
@pytest.mark.parametrize("stored", [None, 1, 2, 4])
@pytest.mark.parametrize("order", ["C", "F"])
def test_equal_items_are_broadcast(path, stored, count, order):
    array = ITEM if stored is None else np.array([ITEM] * stored)
    entry = ArraySpec((count, 2, 3), "float64", batched=True)
    expected = {"a": np.array([ITEM] * count)}
    npz.write(path, {"a": array})
    assert_equal(npz.read(path, {"a": entry}), expected)
    if order == "F" and stored in (None, 1, count):
        np.savez(npz_path(path), np.asfortranarray(array))
        assert_equal(npz.read(path, {"a": entry}), expected)


def test_items_that_differ_need_the_same_minibatch_size(path):
    array = np.array([ITEM, ITEM + 1, ITEM])
    npz.write(path, {"a": array})
    entry = ArraySpec((3, 2, 3), "float64", batched=True)
    assert_equal(npz.read(path, {"a": entry}), {"a": array})
    for count in (1, 2, 4):
        entry = ArraySpec((count, 2, 3), "float64", batched=True)
        message = rf"the 3 minibatch items of 'a' .*with {count}\).*minibatch_size=3\."
        fails(path, f"expected {message}", {"a": entry})


@pytest.mark.parametrize("shape", [(0, 2, 3), (2, 2), (3,), (2, 3, 1), (1, 1, 2, 3)])
def test_items_have_a_shape(path, shape):
    npz.write(path, {"a": np.zeros(shape)})
    entry = ArraySpec((2, 2, 3), batched=True)
    fails(path, r"'a': expected shape \(2, 2, 3\), got ", {"a": entry})


def test_learned_values_of_one_item_are_values(path):
    npz.write(path, {"a": ITEM[None]})
    assert_equal(npz.read(path, {"a": ArraySpec((2, 3), "float64")}), {"a": ITEM})
    npz.write(path, {"a": np.array([ITEM, ITEM])})
    fails(path, r"'a': expected shape \(2, 3\)", {"a": ArraySpec((2, 3))})


def test_empty_items(path):
    npz.write(path, {"a": np.zeros((5, 0))})
    (loaded,) = npz.read(path, {"a": ArraySpec((3, 0), batched=True)}).values()
    assert loaded.shape == (3, 0)


# --- files of NengoDL 3.6 ---------------------------------------------------------


def test_files_without_names(path):
    arrays = {f"n{i}": RNG.uniform(size=(i + 1,)) for i in range(12)}
    expected = {name: entry_of(array) for name, array in arrays.items()}
    for save in (np.savez, np.savez_compressed):
        save(npz_path(path), *arrays.values())
        assert_equal(npz.read(path, expected), arrays)


@pytest.mark.parametrize("stored", [(4,), (1, 4), (4, 1), (1, 4, 1)])
def test_axes_of_length_one_do_not_count(path, stored):
    array = np.arange(4.0)
    np.savez(npz_path(path), array.reshape(stored))
    for shape in ((4,), (4, 1), (1, 4)):
        expected = {"a": array.reshape(shape)}
        assert_equal(npz.read(path, {"a": ArraySpec(shape, "float64")}), expected)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ([np.ones((3, 4))], r"expected 2 arrays \(got 1, without names\).*was saved"),
        ([np.ones(4)] * 3, r"expected 2 arrays \(got 3, without names\)"),
        ([np.ones((4, 3)), np.ones(4)], r"'w': expected shape \(3, 4\), got \(4, 3\)"),
        ([np.ones((3, 4)), np.ones(5)], r"'b': expected shape \(4,\), got \(5,\)"),
    ],
)
def test_other_networks_without_names(path, arrays, message):
    np.savez(npz_path(path), *arrays)
    fails(path, message, {"w": ArraySpec((3, 4)), "b": ArraySpec((4,))})


# --- foreign, damaged and malicious files -----------------------------------------


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def header(shape, descr="<f4", version=(1, 0), fortran_order=False):
    """Return the start of an ``.npy`` file."""
    stream = io.BytesIO()
    data = {"descr": descr, "fortran_order": fortran_order, "shape": shape}
    writers = {(1, 0): npy.write_array_header_1_0, (2, 0): npy.write_array_header_2_0}
    writers[version](stream, data)
    return stream.getvalue()


def archive(path, members, compression=zipfile.ZIP_DEFLATED, marked=True):
    """Write a zip file; values are the contents of the members."""
    members = dict(members)
    if marked:
        members[f"{npz.MARKER}.npy"] = header((), "<i8") + np.int64(1).tobytes()
    with zipfile.ZipFile(npz_path(path), "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)


ONE = {"a": ArraySpec((2,))}
GOOD = header((2,)) + np.ones(2, "float32").tobytes()


def test_the_archives_of_these_tests_are_good(path):
    archive(path, {"a.npy": GOOD})
    assert_equal(npz.read(path, ONE), {"a": np.ones(2, "float32")})
    archive(path, {"a.npy": header((2,), version=(2, 0)) + GOOD[-8:]})
    assert_equal(npz.read(path, ONE), {"a": np.ones(2, "float32")})


@pytest.mark.parametrize("name", ["a", "arr_0", npz.MARKER])
@pytest.mark.parametrize("shape", [(), (2,)])
def test_objects_are_not_unpickled(path, name, shape):
    created = path.parent / "created"
    array = np.full(shape, Trap(os.fspath(created)), dtype=object)
    stream = io.BytesIO()
    npy.write_array(stream, array, allow_pickle=True)
    archive(path, {f"{name}.npy": stream.getvalue()}, marked=name == "a")
    fails(path, "arrays of numbers .*dtype object.*any code", {"a": ArraySpec(shape)})
    assert not created.exists()


def test_pickles_are_not_unpickled(path):
    created = path.parent / "created"
    trap = pickle.dumps(Trap(os.fspath(created)))
    npz_path(path).write_bytes(trap)
    fails(path, "damaged or something else")
    archive(path, {"a.npy": trap})
    fails(path, "damaged or something else", ONE)
    # what claims to be numbers is numbers
    archive(path, {"a.npy": header((len(trap),), "|u1") + trap})
    npz.read(path, {"a": ArraySpec((len(trap),))})
    assert not created.exists()
    pickle.loads(trap).close()
    assert created.exists()  # it would have


@pytest.mark.parametrize(
    "descr", ["<U3", "|S5", "<M8[s]", "<c8", "|V8", [("f", "<f4")]]
)
def test_what_is_no_number(path, descr):
    archive(path, {"a.npy": header((2,), descr) + bytes(64)})
    fails(path, "expected arrays of numbers", ONE)


def test_truncated_files(path):
    npz.write(path, ARRAYS)
    content = npz_path(path).read_bytes()
    for length in (*range(0, len(content), 37), len(content) - 1):
        npz_path(path).write_bytes(content[:length])
        fails(path, "damaged or something else")


def test_changed_bytes(path):
    """What is read of a damaged file is an error, or what was written."""
    npz.write(path, ARRAYS)
    content = npz_path(path).read_bytes()
    n_errors = 0
    for position in range(0, len(content), 11):
        changed = bytearray(content)
        changed[position] ^= 0xFF
        npz_path(path).write_bytes(changed)
        try:
            assert_equal(npz.read(path, EXPECTED), ARRAYS)
        except SimulationError:
            n_errors += 1
    assert n_errors > len(content) / 11 / 4


@pytest.mark.parametrize(
    "content",
    [b"", b"hello\n" * 100, GOOD, b"PK\x03\x04", b"PK\x05\x06" + bytes(18), bytes(999)],
    ids=["empty", "text", "npy", "zip start", "empty zip", "zeros"],
)
def test_files_that_are_something_else(path, content):
    npz_path(path).write_bytes(content)
    fails(path, "expected a file written by save_params")


def test_archives_of_something_else(path):
    np.savez(npz_path(path), x=np.ones(3), y=np.ones(2))
    fails(path, "got one without its mark.*Save the parameters with save_params")
    np.savez(npz_path(path), np.ones(3), y=np.ones(2))
    fails(path, "without its mark")
    archive(path, {"word/document.xml": b"<xml>" * 100}, marked=False)
    fails(path, "damaged or something else")
    archive(path, {"a.npy": GOOD, "folder/": b""})
    fails(path, "damaged or something else", ONE)


def test_newer_formats(path):
    content = header((), "<i8") + np.int64(npz.VERSION + 1).tobytes()
    archive(path, {"a.npy": GOOD, f"{npz.MARKER}.npy": content}, marked=False)
    fails(path, r"expected a file of format 1 or less \(got 2\).*install", ONE)
    archive(path, {"a.npy": GOOD, f"{npz.MARKER}.npy": GOOD}, marked=False)
    fails(path, "'%nengo_dl': expected shape", ONE)


HUGE = 10**15
BAD = {
    "shape": header((3,)) + GOOD[-8:],
    "too short": GOOD[:-1],
    "too long": GOOD + b"x",
    "no data": header((2,)),
    "no header": b"",
    "half a header": GOOD[:20],
    "version": GOOD[:6] + b"\x09" + GOOD[7:],
    "version 3": GOOD[:6] + b"\x03" + GOOD[7:],
    "huge shape": header((HUGE, HUGE)) + GOOD[-8:],
    "negative shape": header((-1, -2)) + GOOD[-8:],
    "nested header": GOOD[:8] + b"\x10\x27" + b"(" * 10000,
    "code in the header": GOOD[:8] + b"\x40\0" + b"__import__('os').getcwd()".ljust(64),
    "huge header": b"\x93NUMPY\x02\x00" + b"\xff\xff\xff\x7f" + b" " * 10**6,
    "bomb": header((2,)) + bytes(10**7),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
@pytest.mark.parametrize("name", ["a", "arr_0"])
def test_bad_members(path, content, name):
    archive(path, {f"{name}.npy": content}, marked=name == "a")
    fails(path, "expected ", ONE)


def test_bombs_are_not_unpacked(path, monkeypatch):
    """What a header declares is compared before it is read."""
    read, sizes = zipfile.ZipExtFile.read, []

    def counted(self, n=-1):
        sizes.append(n)
        return read(self, n)

    size = 10**7
    archive(path, {"a.npy": header((size,)) + bytes(4 * size)})
    monkeypatch.setattr(zipfile.ZipExtFile, "read", counted)
    for entry in (
        ArraySpec((2,)),
        ArraySpec((2, 2), batched=True),
        ArraySpec((), "float64"),
    ):
        fails(path, f"'a': expected shape .*, got .{size},.", {"a": entry})
    # items are compared one by one
    assert npz.read(path, {"a": ArraySpec((4,), batched=True)})["a"].tolist() == [0] * 4
    assert 0 <= min(sizes) and max(sizes) <= npz_members.MAX_HEADER_BYTES


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression(path, compression):
    archive(path, {"a.npy": GOOD}, compression)
    fails(path, "unknown compression of 'a.npy'", ONE)


# --- what is left by others, and what is protected ------------------------------------

# Without TensorFlow, which takes seconds to import
START = f"""
import importlib.util, os, signal, sys
spec = importlib.util.spec_from_file_location("atomic", {atomic.__file__!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
with module.atomic_write(sys.argv[1]) as file:
    file.write(b"a")
"""
KILLED = START + "    os.kill(os.getpid(), signal.SIGKILL)"
WAITING = (
    START
    + """
    print("writing", flush=True)
    sys.stdin.readline()
"""
)


def temporary(path):
    return [name for name in os.listdir(path.parent) if name.endswith(".tmp")]


@pytest.mark.skipif(sys.platform == "win32", reason="kills with a signal")
def test_the_next_save_removes_what_a_killed_one_has_left(path):
    other = path.with_name("other")
    for killed in (path, other):
        subprocess.run([sys.executable, "-c", KILLED, npz_path(killed)], check=False)
    assert len(temporary(path)) == 2
    npz.write(path, ARRAYS)
    assert len(temporary(path)) == 1  # that of another file
    npz.write(other, ARRAYS)
    assert sorted(os.listdir(path.parent)) == ["other.npz", "params.npz"]
    assert_equal(npz.read(path, EXPECTED), ARRAYS)


def test_what_another_process_is_writing_is_left_alone(path):
    command = [sys.executable, "-c", WAITING, npz_path(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "writing\n"
        npz.write(path, ARRAYS)
        assert len(temporary(path)) == 1
        assert_equal(npz.read(path, EXPECTED), ARRAYS)
        other.communicate("\n")
    assert other.returncode == 0
    assert temporary(path) == []
    assert npz_path(path).read_bytes() == b"a"


def test_threads_write_the_same_file(path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: npz.write(path, ARRAYS), range(40)))
    assert os.listdir(path.parent) == ["params.npz"]
    assert_equal(npz.read(path, EXPECTED), ARRAYS)


def test_read_only_files_are_not_replaced(path):
    npz.write(path, {"old": np.ones(3)})
    npz_path(path).chmod(0o444)
    with pytest.raises(PermissionError, match="save_params: .*got: the file is read-o"):
        npz.write(path, ARRAYS)
    assert list(npz.read(path, {"old": ArraySpec((3,), "float64")})) == ["old"]
    npz_path(path).chmod(0o644)
    npz.write(path, ARRAYS)


NO_PATHS = [None, 3, 1.5, "", "a\0b", b"a\0b", "folder/", ".", "..", "\ud800", ["a"]]


@pytest.mark.parametrize("no_path", NO_PATHS, ids=repr)
@pytest.mark.parametrize(
    "use", [lambda p: npz.write(p, ARRAYS), lambda p: npz.read(p, EXPECTED)]
)
def test_what_is_no_path(use, no_path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = r"_params path: must be the path of a file.*\(got .*Pass a string or"
    with pytest.raises(ValidationError, match=message):
        use(no_path)
    assert os.listdir(tmp_path) == []


def test_a_folder_of_the_same_name(tmp_path):
    """It is in the way only if it has the suffix."""
    (tmp_path / "params").mkdir()
    npz.write(tmp_path / "params", ARRAYS)
    (tmp_path / "b.npz").mkdir()
    with pytest.raises(OSError, match="save_params: expected a place .*choose another"):
        npz.write(tmp_path / "b", ARRAYS)
    with pytest.raises(OSError, match="load_params: expected to open"):
        npz.read(tmp_path / "b", EXPECTED)
    assert sorted(os.listdir(tmp_path)) == ["b.npz", "params", "params.npz"]
