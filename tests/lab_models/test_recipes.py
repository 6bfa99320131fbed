from __future__ import annotations

import dataclasses
import importlib
import json

import pytest

from lab_models.backbones import backbone_spec
from lab_models.recipes import (
    EarlyStopping,
    Optimizer,
    Phase,
    Recipe,
    RecipeError,
    differences,
    get_recipe,
    list_recipes,
    recipe_id,
)
from tflite.runtime.errors import LabError

RECIPES = list_recipes()


@pytest.mark.parametrize("name", RECIPES)
def test_name_file_and_id_agree(name):
    assert get_recipe(name).name == name
    assert recipe_id(name).lower().replace("-", "_") == name


@pytest.mark.parametrize("name", RECIPES)
def test_header_says_what_a_reader_needs(name):
    text = importlib.import_module(f"lab_models.recipes.{name}").__doc__
    assert text.startswith(recipe_id(name) + ": ")
    for heading in ("Purpose: ", "Command: ", "Expected: ", "Time and hardware: "):
        assert f"\n{heading}" in text
    assert f"RECIPE={name}" in text


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("scale", ["full", "demo"])
def test_reloads_equal_from_json_at_every_scale(name, scale):
    recipe = get_recipe(name).at_scale(scale)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize("name", RECIPES)
def test_demo_scale_needs_no_network(name):
    recipe = get_recipe(name).at_scale("demo")
    assert recipe.weights == "random"
    assert backbone_spec(recipe.backbone).minimum_size <= recipe.input.height


@pytest.mark.parametrize(
    ("name", "top_epochs", "tuning_epochs", "batch"),
    [("hal_t3001", 10, 4, 20), ("hal_t3002", 6, 5, 25), ("hal_t3003", 15, 5, 25)],
)
def test_hal_t_has_the_values_of_the_study(name, top_epochs, tuning_epochs, batch):
    recipe = get_recipe(name)
    top, tuning = recipe.phases
    assert (top.trainable, top.epochs, top.optimizer) == (
        "frozen", top_epochs, Optimizer("adam", 1e-3)
    )  # fmt: skip
    assert (tuning.trainable, tuning.epochs, tuning.optimizer) == (
        "full", tuning_epochs, Optimizer("adam", 1e-4)
    )  # fmt: skip
    assert (recipe.backbone, recipe.weights) == ("xception", "imagenet")
    assert (recipe.input.height, recipe.input.width) == (256, 256)
    assert (recipe.batch_size, recipe.dropout, recipe.data.split.validation) == (batch, 0.2, 0.2)
    augment = recipe.augment
    assert (augment.contrast, augment.rotation, augment.translation, augment.zoom) == (
        0.1, 0.5, 0.05, 0.05
    )  # fmt: skip
    assert augment.fill == "reflect"


def test_hal_r_has_the_values_of_the_study():
    recipe = get_recipe("hal_r")
    (phase,) = recipe.phases
    assert (recipe.weights, recipe.batch_size, recipe.dropout) == ("random", 25, 0.2)
    assert (phase.trainable, phase.epochs, phase.optimizer) == (
        "full",
        100,
        Optimizer("adam", 1e-3),
    )
    assert phase.early_stopping == EarlyStopping("val_loss", patience=3)


def test_an2dl_has_the_values_of_the_study():
    recipe = get_recipe("an2dl")
    assert recipe.backbone == "efficientnet_b0"
    assert [p.optimizer.name for p in recipe.phases] == ["lion", "lion"]
    assert [p.trainable for p in recipe.phases] == ["frozen", "partial"]
    assert [p.early_stopping.patience for p in recipe.phases] == [10, 3]
    assert (recipe.data.class_weights, recipe.seed) == ("balanced", 42)
    assert recipe.augment.rand_augment_operations > 0
    assert recipe.augment.cutmix_probability > 0


def test_three_bad_fields_are_named_at_once():
    values = get_recipe("hal_t3002").to_dict()
    values["batch_size"] = 0
    values["dropout"] = "much"
    values["phases"][1]["optimizer"]["name"] = "adamm"
    with pytest.raises(RecipeError, match="3 bad fields") as caught:
        Recipe.from_dict(values)
    faults = "\n".join(caught.value.faults)
    assert "batch_size must be a whole number of at least 1, got 0" in faults
    assert "dropout must be a number" in faults
    assert "phases.1.optimizer.name must be one of" in faults


def test_unknown_and_missing_fields_are_errors():
    values = get_recipe("hal_t3002").to_dict()
    values["lerning_rate"] = 1
    values["phases"][0]["optimizer"]["mumentum"] = 1
    del values["backbone"]
    with pytest.raises(RecipeError) as caught:
        Recipe.from_dict(values)
    assert {f.split()[0] for f in caught.value.faults} == {
        "lerning_rate", "phases.0.optimizer.mumentum", "backbone"
    }  # fmt: skip


def test_bad_settings_of_other_rooms_are_named_with_their_place():
    with pytest.raises(RecipeError) as caught:
        get_recipe("hal_t3002").changed({"augment.rotation": 7, "data.split.validation": 2})
    split, augment = caught.value.faults
    assert split.startswith("data.split: ")
    assert "validation must be" in split
    assert augment.startswith("augment: ")
    assert "rotation must be" in augment


def test_changes_by_dotted_name_leave_the_original_alone():
    recipe = get_recipe("hal_t3002")
    changed = recipe.changed({"phases.0.epochs": 2, "data.classes": ["a", "b"]})
    assert changed.phases[0].epochs == 2
    assert changed.data.classes == ("a", "b")
    assert recipe.phases[0].epochs == 6
    assert differences(changed, recipe) == {
        "phases.0.epochs": (6, 2), "data.classes": ([], ["a", "b"])
    }  # fmt: skip


def test_an_absent_part_can_be_put_in():
    changed = get_recipe("hal_t3002").changed({"phases.1.early_stopping": {"patience": 7}})
    assert changed.phases[1].early_stopping == EarlyStopping("val_loss", 7)


@pytest.mark.parametrize("name", ["batch", "phases.9.epochs", "phases.x.epochs", "dropout.rate"])
def test_a_change_of_no_field_is_an_error(name):
    with pytest.raises(RecipeError, match="is no field of a recipe"):
        get_recipe("hal_t3002").changed({name: 1})


def test_an_unknown_scale_or_recipe_says_what_there_is():
    with pytest.raises(RecipeError, match="there are: full, demo"):
        get_recipe("hal_t3002").at_scale("tiny")
    with pytest.raises(LabError, match="Did you mean 'hal_t3002'"):
        get_recipe("hal_t302")


def test_recipes_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        get_recipe("hal_r").batch_size = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Phase("a b", "full", 1), "name must be letters"),
        (lambda: Phase("a", "half", 1), "trainable must be one of"),
        (lambda: Phase("a", "partial", 1), "train_from must name a layer"),
        (lambda: Phase("a", "full", 1, train_from="x"), "train_from must name a layer"),
        (lambda: Phase("a", "full", True), "epochs must be a whole number"),
        (lambda: Optimizer("adam", weight_decay=0.1), "adamw and lion only"),
        (lambda: Optimizer("adam", momentum=0.9), "sgd only"),
        (lambda: Optimizer("adam", 0.0), "learning_rate must be a number above 0"),
        (lambda: Optimizer("adam", schedule="plateau", warmup_epochs=1), "warmup_epochs must be 0"),
        (
            lambda: Phase("a", "full", 1, optimizer=Optimizer(warmup_epochs=1)),
            "optimizer.warmup_epochs must be below epochs, got 1 of 1",
        ),
        (lambda: EarlyStopping("loss"), "monitor must be one of"),
    ],
)
def test_bad_phases_are_refused_at_construction(make, message):
    with pytest.raises(RecipeError, match=message):
        make()


def test_changes_build_on_each_other():
    changed = get_recipe("hal_t3002").changed(
        {
            "phases": [{"name": "all", "trainable": "full", "epochs": 1}],
            "phases.0.optimizer.name": "lion",
        }
    )
    assert changed.phases == (Phase("all", "full", 1, optimizer=Optimizer("lion")),)


def test_the_classes_to_map_onto_are_checked_at_once():
    recipe = get_recipe("pbc_small")
    for good in ("hal", "hal20", "blast,lymphocyte"):
        changed = recipe.changed({"data.map_classes": good})
        assert Recipe.from_dict(json.loads(json.dumps(changed.to_dict()))) == changed
    for bad, told in (
        ("mars", "data.map_classes: There is no set of classes 'mars'"),
        ("lymphocyte,zebra", "'zebra' is not in the table of names"),
        (["blast", "lymphocyte"], "data.map_classes must be a text"),
    ):
        with pytest.raises(RecipeError) as refused:
            recipe.changed({"data.map_classes": bad})
        assert told in str(refused.value)
    with pytest.raises(
        RecipeError, match=r"data\.classes must be a list of names, got 'hal'; to map"
    ):
        recipe.changed({"data.classes": "hal"})
