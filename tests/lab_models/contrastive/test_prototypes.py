from __future__ import annotations

import numpy as np
import pytest

from lab_models.contrastive.prototypes import class_prototypes
from tflite.runtime.errors import LabError


def largest_cosine(prototypes):
    cosines = prototypes @ prototypes.T
    np.testing.assert_allclose(np.diag(cosines), 1)
    return cosines[~np.eye(len(cosines), dtype=bool)]


@pytest.mark.parametrize(("classes", "units"), [(2, 1), (2, 128), (3, 2), (20, 128), (20, 19)])
def test_simplex_while_there_is_room(classes, units):
    prototypes = class_prototypes(classes, units)
    assert prototypes.shape == (classes, units)
    np.testing.assert_allclose(largest_cosine(prototypes), -1 / (classes - 1), atol=1e-12)


@pytest.mark.parametrize(("classes", "units"), [(20, 16), (20, 10), (4, 2), (20, 18), (7, 5)])
def test_no_cosine_above_zero_beyond(classes, units):
    prototypes = class_prototypes(classes, units)
    assert prototypes.shape == (classes, units)
    np.testing.assert_allclose(largest_cosine(prototypes).max(), 0, atol=1e-12)
    np.testing.assert_array_equal(prototypes, class_prototypes(classes, units))


@pytest.mark.parametrize(
    ("classes", "units", "says"),
    [(1, 4, "at least 2 classes, got 1"), (9, 4, "at least 5 units"), (20, 0, "at least 10 units")],
)
def test_no_room(classes, units, says):
    with pytest.raises(LabError, match=says):
        class_prototypes(classes, units)
