"""Archives of any shape, type and compression, read in any order; device tests stand elsewhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from tflite.runtime import zip_bytes
from tflite.runtime.npz_arrays import NpzArray, array_names, check_archive

TYPES = (
    arrays_of.integer_dtypes()
    | arrays_of.unsigned_integer_dtypes()
    | arrays_of.floating_dtypes()
    | arrays_of.boolean_dtypes()
    | arrays_of.unicode_string_dtypes(max_len=5)
    | arrays_of.byte_string_dtypes(max_len=5)
)
ARRAYS = arrays_of.arrays(TYPES, arrays_of.array_shapes(max_dims=4, max_side=7))
NAMES = st.from_regex(r"[A-Za-z_0-9 .-]{1,12}", fullmatch=True)


@given(
    st.dictionaries(NAMES, ARRAYS, min_size=1, max_size=4),
    st.sampled_from([np.savez, np.savez_compressed]),
    st.integers(1, 300),
    st.data(),
)
def test_items_in_any_order_are_those_of_numpy(tmp_path_factory, arrays, save, spacing, data):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    save(path, **arrays)
    assert list(array_names(path)) == list(arrays)
    check_archive(path, tuple(arrays))
    with pytest.MonkeyPatch.context() as patch, np.load(path) as loaded:
        patch.setattr(zip_bytes, "LEAST_SPACING", spacing)
        patch.setattr(zip_bytes, "BLOCKS_KEPT", 1)
        for name in arrays:
            expected, array = loaded[name], NpzArray(path, name)
            for index in data.draw(st.permutations(range(len(expected)))):
                assert array.read(index).tobytes() == expected[index].tobytes()
                assert array.read(index).shape == expected[index].shape
            assert array.read_all().dtype == expected.dtype
            assert array.read_all().tobytes() == expected.tobytes()


@given(
    st.binary(min_size=1, max_size=3000),
    st.lists(st.tuples(st.integers(0, 2999), st.integers(1, 400)), max_size=12),
)
def test_any_stretch_of_the_bytes(tmp_path_factory, content, stretches):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    np.savez_compressed(path, x=np.frombuffer(content * 3, np.uint8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zip_bytes, "LEAST_SPACING", 64)
        values = NpzArray(path, "x")._bytes
    whole = values.read(0, 128 + 3 * len(content))
    assert whole[128:] == content * 3
    for offset, length in stretches:
        if offset + length <= len(whole):
            assert values.read(offset, length) == whole[offset : offset + length]
        else:
            with pytest.raises(EOFError, match="the data end too early"):
                values.read(offset, length)
