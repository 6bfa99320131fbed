import pytest

from tflite.runtime.contract import InputContract
from tflite.runtime.errors import LabError

pytestmark = pytest.mark.device


def test_a_contract_survives_the_way_through_json_values():
    contract = InputContract(
        300, 480, 0.8, "luminance", "lanczos", (1, 2, 3), (4.5, 5, 6), rescales_inside=True
    )
    assert InputContract.from_dict(contract.to_dict()) == contract
    assert contract.shape == (300, 480, 3)


def test_all_bad_fields_are_named_at_once():
    with pytest.raises(LabError) as caught:
        InputContract(4, 300.0, 0, "cmyk", "cubic", (1, 2), (1, 0, 1))
    for name in ("height", "width", "crop", "colour", "interpolation", "mean", "deviation"):
        assert name in str(caught.value)


@pytest.mark.parametrize("change", [{"depth": 3}, {"height": None}])
def test_unknown_and_missing_fields_are_refused(change):
    values = InputContract(64, 64).to_dict()
    values.update(change)
    values = {name: value for name, value in values.items() if value is not None}
    with pytest.raises(LabError, match=next(iter(change))):
        InputContract.from_dict(values)
