from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipelines.errors import ManifestError
from pipelines.further_images import choose_image, load_stack
from pipelines.manifest import make_manifest, read_manifest, write_manifest
from tests.pipelines.disk import write_images
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import ImageError
from tflite.runtime.preprocess import prepare_image

CONTRACT = InputContract(width=12, height=8)


@pytest.fixture
def places(tmp_path):
    """Three places; the second lacks the dark field, the third the light at 16.2 degrees."""
    names = [f"{light}/{i}.png" for light in ("standard", "dark", "pls") for i in range(3)]
    write_images(tmp_path, names)
    table = pd.DataFrame(
        {
            "path": [f"standard/{i}.png" for i in range(3)],
            "label": ["real", "fake", "real"],
            "split": ["train", "train", "test"],
            "image:dark_field": ["dark/0.png", "", "dark/2.png"],
            "image:pls_16.2_01": ["pls/0.png", "pls/1.png", ""],
        }
    )
    return make_manifest(table, tmp_path, ["real", "fake"])


def test_the_image_chosen_is_read_and_the_other_kept(places):
    chosen = choose_image(places, "dark_field")
    assert chosen.table["path"].tolist() == ["dark/0.png", "dark/2.png"]
    assert chosen.table["image:standard"].tolist() == ["standard/0.png", "standard/2.png"]
    assert chosen.table["split"].tolist() == ["train", "test"]
    assert chosen.classes == places.classes
    assert chosen.notes == ("1 place(s) have no image dark_field and were left out.",)
    assert "image:standard" not in places.table.columns


def test_nothing_is_told_where_nothing_is_missing(places):
    complete = places.with_table(places.table.iloc[:1])
    assert choose_image(complete, "dark_field").notes == ()


def test_choosing_again_goes_back(places):
    once = choose_image(places, "pls_16.2_01")
    twice = choose_image(once, "dark_field")
    assert twice.table["image:standard"].tolist() == ["standard/0.png"]
    back = choose_image(twice, "standard")
    assert back.table["path"].tolist() == ["standard/0.png"]


def _without_further_images(places):
    """The same places without further images."""
    return places.with_table(places.table.drop(columns=list(places.further_images)))


def test_an_image_that_no_place_has(places):
    with pytest.raises(ManifestError, match=r"no images 'uv'; it has: dark_field, pls_16\.2_01"):
        choose_image(places, "uv")
    with pytest.raises(ManifestError, match="it has: no further"):
        choose_image(_without_further_images(places), "uv")
    empty = places.with_table(places.table.assign(**{"image:dark_field": ""}))
    with pytest.raises(ManifestError, match="not one image"):
        choose_image(empty, "dark_field")


def test_choices_survive_writing(places, tmp_path):
    write_manifest(choose_image(places, "dark_field"), tmp_path / "m.csv")
    again = read_manifest(tmp_path / "m.csv", every_class=False)
    assert choose_image(again, "standard").table["path"].tolist() == [
        "standard/0.png",
        "standard/2.png",
    ]


@pytest.mark.parametrize(
    "names", [("standard",), ("standard", "dark_field"), ("pls_16.2_01", "standard", "dark_field")]
)
def test_a_stack_holds_each_image_prepared_alike_in_order(places, names):
    folders = {"standard": "standard", "dark_field": "dark", "pls_16.2_01": "pls"}
    stack = load_stack(places, 0, names, CONTRACT)
    assert stack.dtype == np.uint8
    assert stack.shape == (8, 12, 3 * len(names))
    for number, name in enumerate(names):
        alone = prepare_image(places.root / folders[name] / "0.png", CONTRACT)
        np.testing.assert_array_equal(stack[..., 3 * number : 3 * number + 3], alone)


def test_standard_is_the_standard_image_whatever_was_chosen(places):
    chosen = choose_image(places, "dark_field")
    np.testing.assert_array_equal(
        load_stack(chosen, 1, ["standard"], CONTRACT),
        prepare_image(places.root / "standard" / "2.png", CONTRACT),
    )


def test_stacks_that_cannot_be_made(places):
    with pytest.raises(ManifestError, match=r"Row 1 of .* has no image 'dark_field'"):
        load_stack(places, 1, ["dark_field"], CONTRACT)
    with pytest.raises(ManifestError, match="has no images 'uv'"):
        load_stack(places, 0, ["uv"], CONTRACT)
    with pytest.raises(ManifestError, match="needs the name of at least one image"):
        load_stack(places, 0, [], CONTRACT)
    (places.root / "dark" / "0.png").write_bytes(b"")
    with pytest.raises(ImageError, match=r"0\.png"):
        load_stack(places, 0, ["dark_field"], CONTRACT)
