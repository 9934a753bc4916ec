"""The strict device: what honest device code does works, and what CuPy refuses is refused.

One table, run on the strict device, and on the real one where there is one.
"""

from __future__ import annotations

import copy
import math
import operator
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from dojo.catalogue import ROOT
from dojo.fake_cupy import names
from dojo.fake_cupy.modules import installed
from dojo.spec import on_device, to_numpy

HOST = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture(params=["strict", "cuda"])
def cupy(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "strict":
        with installed() as module:
            yield module
        return
    module = pytest.importorskip("cupy", reason="CuPy is not installed")
    if not module.is_available():
        pytest.skip("CuPy finds no GPU")
    yield module


HONEST: dict[str, tuple[Callable[[Any, Any], Any], Any]] = {
    "operators": (lambda xp, x: (2 * x - x / 4 + x**2) // 1 % 3, (2 * HOST - HOST / 4 + HOST**2) // 1 % 3),
    "a NumPy number": (lambda xp, x: np.float32(2) * x + np.float32(1), HOST * 2 + 1),
    "negation and abs": (lambda xp, x: abs(-x), HOST),
    "divmod": (
        lambda xp, x: xp.stack([*divmod(x, 4), *divmod(9, x + 1)]),
        [*divmod(HOST, 4), *divmod(9, HOST + 1)],
    ),
    "comparison": (lambda xp, x: (x > 2) & ~(x == 4) | (x != x), (HOST > 2) & (HOST != 4)),
    "matmul": (lambda xp, x: x @ x.T, HOST @ HOST.T),
    "a ufunc of NumPy's": (lambda xp, x: np.exp(x), np.exp(HOST)),
    "a function of NumPy's": (lambda xp, x: np.concatenate([x, x], axis=1), np.hstack([HOST, HOST])),
    "a ufunc of the module's": (lambda xp, x: xp.maximum(x, 2), np.maximum(HOST, 2)),
    "einsum": (lambda xp, x: xp.einsum("ij,kj->ik", x, x), HOST @ HOST.T),
    "where": (lambda xp, x: xp.where(x > 2, x, 0), np.where(HOST > 2, HOST, 0)),
    "pad": (lambda xp, x: xp.pad(x, ((1, 0), (0, 1))), np.pad(HOST, ((1, 0), (0, 1)))),
    "tril": (lambda xp, x: xp.tril(x), np.tril(HOST)),
    "stack": (lambda xp, x: xp.stack([x, x]), np.stack([HOST, HOST])),
    "split": (lambda xp, x: xp.split(x, 3, axis=1)[1], HOST[:, 1:2]),
    "moveaxis": (lambda xp, x: xp.moveaxis(x, 0, 1), HOST.T),
    "broadcast_to": (lambda xp, x: xp.broadcast_to(x[0], (2, 3)), np.stack([HOST[0], HOST[0]])),
    "methods": (
        lambda xp, x: x.reshape(3, 2).transpose(1, 0).astype(xp.float64).copy(),
        HOST.reshape(3, 2).T.astype(float),
    ),
    "a reduction of all": (lambda xp, x: x.sum(), HOST.sum()),
    "a reduction by axis": (lambda xp, x: x.max(axis=1, keepdims=True), HOST.max(axis=1, keepdims=True)),
    "var": (lambda xp, x: xp.var(x, axis=0, ddof=1), HOST.var(axis=0, ddof=1)),
    "argmax": (lambda xp, x: x.argmax(axis=1), HOST.argmax(axis=1)),
    "argsort": (lambda xp, x: xp.argsort(-x, axis=1), np.argsort(-HOST, axis=1)),
    "cumsum": (lambda xp, x: xp.cumsum(x, axis=1), np.cumsum(HOST, axis=1)),
    "a slice": (lambda xp, x: x[..., None, ::-1], HOST[..., None, ::-1]),
    "a mask": (lambda xp, x: x[x > 2], HOST[HOST > 2]),
    "an index on the device": (lambda xp, x: x[xp.asarray([1, 0, 1])], HOST[[1, 0, 1]]),
    "an index of NumPy's": (lambda xp, x: x[:, np.array([2, 0])], HOST[:, [2, 0]]),
    "take_along_axis": (
        lambda xp, x: xp.take_along_axis(x, xp.asarray([[1], [2]]), axis=1),
        np.array([[1], [5]], np.float32),
    ),
    "creation": (
        lambda xp, x: (
            xp.zeros((2, 3), xp.float32) + xp.arange(3, dtype=xp.float32) + xp.full((2, 1), 1, "f4")
        ),
        np.stack([np.arange(1, 4, dtype=np.float32)] * 2),
    ),
    "like": (lambda xp, x: xp.ones_like(x) + np.zeros_like(x), np.ones_like(HOST)),
    "from a list": (lambda xp, x: xp.array([[1.0, 2.0]]), np.array([[1.0, 2.0]])),
    "from a list of arrays": (lambda xp, x: xp.array([x[0], x[1]]), HOST),
    "out": (lambda xp, x: xp.multiply(x, 2, out=xp.empty_like(x)), HOST * 2),
    "norm": (lambda xp, x: xp.linalg.norm(x), np.linalg.norm(HOST)),
    "allclose": (lambda xp, x: xp.allclose(x, x), np.array(True)),
    "pi": (lambda xp, x: x * xp.pi, HOST * np.pi),
    "infinity": (
        lambda xp, x: xp.where(x > 2, -xp.inf, x)[xp.newaxis],
        np.where(HOST > 2, -np.inf, HOST)[None],
    ),
    "reduce": (lambda xp, x: xp.add.reduce(x, axis=0), HOST.sum(axis=0)),
}


@pytest.mark.parametrize("use", HONEST)
def test_honest_code_runs_on_the_device(cupy: Any, use: str) -> None:
    compute, expected = HONEST[use]
    result = compute(cupy, on_device(HOST, "cuda"))
    assert isinstance(result, cupy.ndarray)
    np.testing.assert_allclose(to_numpy(result), expected, rtol=1e-6)
    assert result.dtype == np.asarray(expected).dtype


REFUSED: dict[str, Callable[[Any, Any], Any]] = {
    "np.asarray": lambda xp, x: np.asarray(x),
    "np.array": lambda xp, x: np.array(x, dtype=np.float32),
    "a list of 0-d arrays to NumPy": lambda xp, x: np.array([x[0], x[1]]),
    "torch's way": lambda xp, x: np.frombuffer(x, np.float32),
    "a NumPy array added": lambda xp, x: x + HOST,
    "added to a NumPy array": lambda xp, x: HOST + x,
    "a NumPy array added in place": lambda xp, x: x.__iadd__(HOST),
    "added in place to a NumPy array": lambda xp, x: HOST.copy().__iadd__(x),
    "a NumPy array in matmul": lambda xp, x: x @ HOST.T,
    "a NumPy array before matmul": lambda xp, x: HOST.T @ x,
    "a NumPy array in a ufunc": lambda xp, x: xp.maximum(x, HOST),
    "a NumPy array in NumPy's ufunc": lambda xp, x: np.maximum(HOST, x),
    "only NumPy arrays in a ufunc": lambda xp, x: xp.exp(HOST),
    "only NumPy arrays in a function": lambda xp, x: xp.concatenate([HOST, HOST]),
    "both in concatenate": lambda xp, x: np.concatenate([x, HOST]),
    "both in where": lambda xp, x: xp.where(x > 2, x, HOST),
    "a list as operand": lambda xp, x: operator.add(x, [1, 2, 3]),
    "a list in a function": lambda xp, x: xp.sum([1, 2, 3]),
    "a NumPy array assigned": lambda xp, x: x.__setitem__(slice(None), HOST),
    "a list assigned": lambda xp, x: x.__setitem__(0, [1, 2, 3]),
    "out to NumPy": lambda xp, x: np.exp(x, out=np.empty_like(HOST)),
    "SciPy's ufunc": lambda xp, x: pytest.importorskip("scipy.special").erf(x),
    "a 0-d array as a count": lambda xp, x: range(xp.asarray(3)),
    "iterating over a 0-d array": lambda xp, x: list(x.sum()),
    "the length of a 0-d array": lambda xp, x: len(x.sum()),
    "the number in many": lambda xp, x: x.item(),
    "the truth of many": lambda xp, x: bool(x),
    "hash": lambda xp, x: {x},
    "text": lambda xp, x: xp.asarray(["a"]),
    "None as operand": lambda xp, x: x + None,
    "a name of NumPy 2": lambda xp, x: xp.vecdot(x, x),
    "a draw that NumPy alone has": lambda xp, x: xp.random.default_rng(0).normal(),
    "a second device": lambda xp, x: xp.cuda.Device(99).__enter__(),
}


@pytest.mark.parametrize("use", REFUSED)
def test_dishonest_code_is_refused(cupy: Any, use: str) -> None:
    x = on_device(HOST, "cuda")
    with pytest.raises((TypeError, ValueError, AttributeError, RuntimeError)):
        REFUSED[use](cupy, x)
    np.testing.assert_array_equal(x.get(), HOST)


LACKING: dict[str, tuple[type[Exception], Callable[[Any, Any], Any]]] = {
    "errstate": (AttributeError, lambda xp, x: xp.errstate(all="ignore")),
    "insert": (AttributeError, lambda xp, x: xp.insert(x, 0, 1.0)),
    "vecdot": (AttributeError, lambda xp, x: xp.vecdot(x, x)),
    "NumPy's function of a name that CuPy lacks": (TypeError, lambda xp, x: np.insert(x, 0, 1.0)),
    "NumPy's ufunc of a name that CuPy lacks": (TypeError, lambda xp, x: np.vecdot(x, x)),
    "a method of a name that CuPy lacks": (AttributeError, lambda xp, x: x.newbyteorder()),
    "sum(where=)": (TypeError, lambda xp, x: xp.sum(x, where=x > 2)),
    "NumPy's sum(where=)": (TypeError, lambda xp, x: np.sum(x, where=x > 2)),
    "x.sum(initial=)": (TypeError, lambda xp, x: x.sum(initial=1.0)),
    "x.max(where=)": (TypeError, lambda xp, x: x.max(where=x > 2, initial=0)),
    "argsort(stable=)": (TypeError, lambda xp, x: xp.argsort(x, stable=True)),
    "x.argsort(stable=)": (TypeError, lambda xp, x: x.argsort(stable=True)),
    "sort(stable=)": (TypeError, lambda xp, x: xp.sort(x, stable=True)),
    "zeros(device=)": (TypeError, lambda xp, x: xp.zeros(3, device="cpu")),
    "clip(min=)": (TypeError, lambda xp, x: xp.clip(x, min=1, max=2)),
    "std(correction=)": (TypeError, lambda xp, x: xp.std(x, correction=1)),
    "x.var(mean=)": (TypeError, lambda xp, x: x.var(axis=0, mean=x.mean(0))),
    "a ufunc(where=)": (TypeError, lambda xp, x: xp.exp(x, where=x > 2)),
    "take(mode=)": (TypeError, lambda xp, x: xp.take(x, xp.asarray([1]), mode="clip")),
    "an argument too few": (TypeError, lambda xp, x: xp.take(x)),
    "x.item(0)": (TypeError, lambda xp, x: x.item(0)),
    "add.at of int64": (TypeError, lambda xp, x: xp.add.at(xp.zeros(3, xp.int64), xp.asarray([0]), 1)),
    "add.at of int8": (TypeError, lambda xp, x: xp.add.at(xp.zeros(3, xp.int8), xp.asarray([0]), 1)),
    "maximum.at of float16": (
        TypeError,
        lambda xp, x: xp.maximum.at(x.astype(xp.float16), xp.asarray([0]), 1),
    ),
    "divide.at": (NotImplementedError, lambda xp, x: xp.divide.at(x, xp.asarray([0]), 1)),
    "maximum.reduce": (NotImplementedError, lambda xp, x: xp.maximum.reduce(x)),
    "NumPy's add.at": (TypeError, lambda xp, x: np.add.at(x, 0, 1)),
    "NumPy's add.reduce": (TypeError, lambda xp, x: np.add.reduce(x)),
    "exp of no loop": (TypeError, lambda xp, x: xp.bitwise_and(x, x)),
    "a NumPy array assigned to a slice": (ValueError, lambda xp, x: x.__setitem__(slice(None), HOST)),
    "a generator copied": (TypeError, lambda xp, x: copy.deepcopy(xp.random.default_rng(0))),
    "more than there is": (MemoryError, lambda xp, x: xp.empty(2**50) * 2),
}


@pytest.mark.parametrize("use", LACKING)
def test_what_cupy_lacks_fails_as_it_does_there(cupy: Any, use: str) -> None:
    kind, call = LACKING[use]
    x = on_device(HOST, "cuda")
    with pytest.raises(kind) as caught:
        call(cupy, x)
    assert "stand-in" not in str(caught.value)
    np.testing.assert_array_equal(x.get(), HOST)


def test_no_room_is_an_error_of_its_own(cupy: Any) -> None:
    with pytest.raises(cupy.cuda.memory.OutOfMemoryError, match="Out of memory"):
        cupy.full(2**50, 1.0)


OF_CUPY: dict[str, tuple[Callable[[Any, Any], Any], Any]] = {
    "names of NumPy 2": (
        lambda xp, x: (
            xp.concat([xp.astype(x, xp.float32), xp.permute_dims(x, (0, 1))]) + xp.pow(xp.acos(x[:1, :1]), 0)
        ),
        np.concatenate([HOST, HOST]) + 1,
    ),
    "a place out of range": (lambda xp, x: x[:, xp.asarray([3, -4, 7])], HOST[:, [0, 2, 1]]),
    "two of them": (lambda xp, x: x[xp.asarray([2, 3]), xp.asarray([3, 4])], HOST[[0, 1], [0, 1]]),
    "behind an ellipsis": (lambda xp, x: x[..., xp.asarray([3])], HOST[..., [0]]),
    "with a mask": (lambda xp, x: x[xp.asarray([False, True]), xp.asarray([5])], HOST[[1], [2]]),
    "clip by place": (
        lambda xp, x: xp.clip(x, 1, 3) + x.clip(min=2, max=3),
        HOST.clip(1, 3) + HOST.clip(2, 3),
    ),
    "erf of float16": (
        lambda xp, x: __import__("cupyx.scipy.special").scipy.special.erf(x.astype(xp.float16)),
        np.vectorize(math.erf)(HOST.astype(float)),
    ),
    "ldexp": (lambda xp, x: xp.ldexp(x, xp.asarray(2)), HOST * 4),
    "no warning": (lambda xp, x: xp.log(x * 0) + 1 / (x * 0), np.full_like(HOST, np.nan)),
    "matmul's own parameters": (
        lambda xp, x: xp.matmul(x, x.T, dtype=xp.float64),
        (HOST @ HOST.T).astype(float),
    ),
    "keywords of CuPy's own": (lambda xp, x: xp.reshape(a=x, newshape=(3, 2)), HOST.reshape(3, 2)),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("use", OF_CUPY)
def test_what_cupy_does_otherwise_than_numpy(cupy: Any, use: str) -> None:
    compute, expected = OF_CUPY[use]
    result = compute(cupy, on_device(HOST, "cuda"))
    np.testing.assert_allclose(to_numpy(result), expected, rtol=1e-3)
    assert result.dtype == expected.dtype


def test_an_index_brings_values_over(cupy: Any) -> None:
    """Assigned through an array of places, NumPy arrays and lists are copied to the device."""
    x = on_device(HOST, "cuda")
    x[np.array([1])] = HOST[:1]
    x[cupy.asarray([True, False])] = [7.0, 8.0, 9.0]
    np.testing.assert_array_equal(x.get(), [[7, 8, 9], [0, 1, 2]])
    cupy.add.at(x, [0, 2], np.ones(3, np.float32))
    np.testing.assert_array_equal(x.get(), [[9, 10, 11], [0, 1, 2]])


def test_the_list_is_that_of_the_cupy_that_is_installed() -> None:
    installed_cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    if installed_cupy.__version__ != names.VERSION:
        pytest.skip(f"the list is of CuPy {names.VERSION}, and {installed_cupy.__version__} is installed")
    script = ROOT / "dojo" / "authors" / "cupy_names.py"
    written = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout
    assert written == (ROOT / "dojo" / "fake_cupy" / "names.txt").read_text(encoding="utf-8")


def test_conversion_says_what_to_do(cupy: Any) -> None:
    with pytest.raises(TypeError, match=r"Implicit conversion to a NumPy array is not allowed.*\.get\(\)"):
        np.asarray(cupy.zeros(3))


def test_reductions_and_single_entries_are_0d_arrays_on_the_device(cupy: Any) -> None:
    x = on_device(HOST, "cuda")
    for found in (x.sum(), x.mean(), x[1, 2], x[1][2], cupy.max(x), np.sum(x), x.argmax()):
        assert isinstance(found, cupy.ndarray)
        assert found.shape == ()


def test_an_entry_is_a_view(cupy: Any) -> None:
    x = on_device(HOST, "cuda")
    entry = x[1, 2]
    x[1, 2] = 9
    assert float(entry) == 9


def test_numbers_come_out_when_asked_for(cupy: Any) -> None:
    x = on_device(HOST, "cuda")
    assert x.sum().item() == float(x.sum()) == int(x.sum()) == 15
    assert math.sqrt(x[1, 1]) == 2
    assert x.tolist() == HOST.tolist()
    assert f"{x.sum():.1f}" == "15.0"
    assert bool((x >= 0).all())
    assert [float(row.sum()) for row in x] == [3, 12]
    assert len(x) == 2


def test_attributes_are_those_of_the_array(cupy: Any) -> None:
    x = on_device(HOST, "cuda").T
    assert (x.shape, x.dtype, x.ndim, x.size, x.strides) == ((3, 2), np.float32, 2, 6, (4, 12))
    assert (x.itemsize, x.nbytes) == (4, 24)
    assert x.flags.f_contiguous and not x.flags.c_contiguous
    with pytest.raises(AttributeError):
        x.flags.writeable = False
    assert x.device.id == 0


def test_in_place_operators_and_assignment_write_to_the_same_array(cupy: Any) -> None:
    x = on_device(HOST, "cuda")
    alias = x[:]
    x += 1
    x *= x
    x[0] = 0
    x[:, 0] = x[:, 1]
    x[x > 30] = -1
    cupy.add.at(x, cupy.asarray([0, 0]), 1)
    expected = (HOST + 1) ** 2
    expected[0] = 0
    expected[:, 0] = expected[:, 1]
    expected[expected > 30] = -1
    expected[0] += 2
    np.testing.assert_array_equal(alias.get(), expected)


def test_get_and_asarray_copy(cupy: Any) -> None:
    host = HOST.copy()
    x = on_device(host, "cuda")
    host[...] = 0
    out = x.get()
    out[...] = 0
    np.testing.assert_array_equal(cupy.asnumpy(x), HOST)
    assert cupy.asarray(x) is x
    assert cupy.array(x) is not x


def test_memory_is_shared_by_views(cupy: Any) -> None:
    x = on_device(HOST, "cuda")
    assert np.may_share_memory(x, x[:, 1])
    assert cupy.may_share_memory(x, x.T)
    assert not np.may_share_memory(x, x.copy())


def test_get_array_module_tells_them_apart(cupy: Any) -> None:
    assert cupy.get_array_module(on_device(HOST, "cuda"), HOST) is cupy
    assert cupy.get_array_module(HOST, 1.0) is np


def test_random_draws(cupy: Any) -> None:
    first, again, other = (cupy.random.default_rng(seed) for seed in (0, 0, 1))
    draw = first.standard_normal((100, 3), dtype=np.float32)
    assert isinstance(draw, cupy.ndarray) and draw.dtype == np.float32
    np.testing.assert_array_equal(draw.get(), again.standard_normal((100, 3), dtype=np.float32).get())
    assert (other.standard_normal((100, 3), dtype=np.float32) != draw).any()
    uniform, whole = first.random((1000,)), first.integers(2, 5, (1000,))
    assert float(uniform.min()) >= 0 and float(uniform.max()) < 1
    between = first.uniform(-1, cupy.asarray([2.0, 3.0]), (100, 2), dtype=np.float32)
    assert isinstance(between, cupy.ndarray) and between.dtype == np.float32
    assert float(between.min()) >= -1 and float(between[:, 1].max()) < 3
    assert set(whole.tolist()) == {2, 3, 4}
    host = np.random.default_rng(0).standard_normal((100, 3), dtype=np.float32)
    assert not np.array_equal(draw.get(), host), "the two libraries draw different streams"


def test_the_runtime_has_a_device(cupy: Any) -> None:
    assert cupy.cuda.runtime.getDeviceCount() >= 1
    assert cupy.cuda.is_available() and cupy.is_available()
    with cupy.cuda.Device(0) as device:
        assert device.id == cupy.cuda.get_device_id() == 0
        device.synchronize()


def test_special_functions(cupy: Any) -> None:
    from cupyx.scipy.special import erf  # type: ignore[import-not-found]

    assert float(erf(cupy.asarray(0.5))) == pytest.approx(math.erf(0.5))


def test_copies_and_pickles(cupy: Any) -> None:
    x = on_device(HOST, "cuda")
    for other in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert isinstance(other, cupy.ndarray)
        assert other is not x
        np.testing.assert_array_equal(other.get(), HOST)


def test_a_class_without_ufuncs_gets_its_reflected_operator(cupy: Any) -> None:
    class Tensor:
        __array_ufunc__ = None

        def __radd__(self, other: Any) -> str:
            return "mine"

    assert on_device(HOST, "cuda") + Tensor() == "mine"


def test_the_modules_are_there_only_within_the_block() -> None:
    before = {name: sys.modules.get(name) for name in ("cupy", "cupyx.scipy.special", "cupy.cuda.runtime")}
    with installed() as cupy:
        import cupyx.scipy.special

        assert sys.modules["cupy"] is cupy
        assert cupyx.scipy.special.erf
    assert {name: sys.modules.get(name) for name in before} == before
