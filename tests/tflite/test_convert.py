import dataclasses

import numpy as np
import pytest

from tflite.conversion_checks import (
    ConversionChecks,
    ConversionError,
    check_file,
    check_scores,
)
from tflite.convert import PostTraining, as_float32, convert, fix_batch
from tflite.quantization_recipes import (
    DYNAMIC_INT8,
    FLOAT16,
    FLOAT32,
    INT8_FULL,
    INT8_QAT,
    INT16X8,
)
from tflite.runtime.errors import LabError
from tflite.runtime.interpreter import TensorRunner, load_interpreter
from tflite.runtime.quantize import TensorQuantization
from tflite.runtime.scores import softmax

CHECKS = ConversionChecks()


def scores(content, images):
    run = TensorRunner(content)
    return softmax(np.stack([run(image) for image in images]))


def expected_scores(model, images):
    return model.predict(images.astype(np.float32), verbose=0)


def test_float32_is_the_keras_model(model, pixels, float32_file):
    found = scores(float32_file, pixels)
    np.testing.assert_allclose(found, expected_scores(model, pixels), atol=1e-5)


def test_int8_is_nearly_the_keras_model(model, pixels, int8_file):
    expected = expected_scores(model, pixels)
    found = scores(int8_file, pixels)
    assert np.abs(found - expected).mean() < 0.01
    np.testing.assert_array_equal(found.argmax(axis=1), expected.argmax(axis=1))


def test_int8_takes_pixels_and_has_a_batch_of_1(int8_file):
    run = TensorRunner(int8_file)
    assert run.input_quantization == TensorQuantization("int8", 1.0, -128)
    assert run.output_quantization.dtype == "int8"
    assert (run.input_shape, run.output_shape) == ((1, 16, 16, 3), (1, 3))


def test_files_end_in_logits(model, pixels, float32_file):
    run = TensorRunner(float32_file)
    logits = np.stack([run(image) for image in pixels])
    assert np.abs(logits.sum(axis=1) - 1).min() > 0.1
    np.testing.assert_allclose(softmax(logits), expected_scores(model, pixels), atol=1e-5)


@pytest.mark.parametrize("recipe", [FLOAT16, DYNAMIC_INT8, INT16X8], ids=lambda r: r.name)
def test_other_recipes_are_nearly_the_keras_model(model, pixels, recipe):
    content = convert(model, recipe, pixels)
    expected = expected_scores(model, pixels)
    assert TensorRunner(content).input_quantization.dtype == "float32"
    assert np.abs(scores(content, pixels) - expected).max() < 0.02


def test_float16_halves_the_weights():
    import keras
    from keras import layers

    from tflite.schema import constant, read_model, type_name

    inputs = keras.Input((16, 16, 3))
    outputs = layers.Dense(3, activation="softmax")(layers.Flatten()(inputs))
    content = convert(keras.Model(inputs, outputs), FLOAT16, np.zeros((2, 16, 16, 3), np.uint8))
    model = read_model(content)
    kinds = {
        type_name(model, t)
        for t in range(len(model.subgraphs[0].tensors))
        if constant(model, t) is not None and constant(model, t).size > 1000
    }
    assert kinds == {"FLOAT16"}


def test_a_recipe_that_trains_is_not_converted(model, pixels):
    with pytest.raises(ConversionError, match="int8_qat is made by training"):
        convert(model, INT8_QAT, pixels)


def test_int8_computes_in_integers_with_a_scale_per_channel(int8_file):
    tensors = load_interpreter(int8_file, delegates=False).get_tensor_details()
    assert {np.dtype(tensor["dtype"]).name for tensor in tensors} == {"int8", "int32"}
    assert max(len(tensor["quantization_parameters"]["scales"]) for tensor in tensors) == 8


def test_sensitive_layers_may_stay_float(model, pixels):
    content = convert(model, INT8_FULL, pixels, post_training=PostTraining(float_layers=1))
    tensors = load_interpreter(content, delegates=False).get_tensor_details()
    assert "float32" in {np.dtype(tensor["dtype"]).name for tensor in tensors}
    assert TensorRunner(content).input_quantization.takes_pixels
    assert np.abs(scores(content, pixels) - expected_scores(model, pixels)).mean() < 0.01


def test_a_negative_number_of_float_layers_is_refused():
    with pytest.raises(LabError, match="must be 0 or more, got -1"):
        PostTraining(float_layers=-1)


def test_the_converted_graph_is_one_delegate(int8_file):
    operations = load_interpreter(int8_file)._get_ops_details()
    names = [operation["op_name"] for operation in operations]
    assert names.count("DELEGATE") == 1


def test_weights_are_not_touched_by_converting(model, pixels):
    before = [weight.copy() for weight in model.get_weights()]
    convert(model, FLOAT32, pixels)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_converting_prints_nothing(model, pixels, capsys):
    convert(model, FLOAT32, pixels[:2])
    assert capsys.readouterr().out == ""


def test_one_representative_image_is_enough_for_the_input_scale(model, pixels):
    loose = dataclasses.replace(CHECKS, quantized_mean_difference=1.0, quantized_max_difference=1.0)
    content = convert(model, INT8_FULL, pixels[:1], loose)
    assert TensorRunner(content).input_quantization.takes_pixels


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_model_of_mixed_precision_is_converted_in_float32(pixels, policy):
    import keras
    from keras import layers

    keras.utils.set_random_seed(2)
    keras.config.set_dtype_policy(policy)
    try:
        inner_input = keras.Input((14, 14, 4))
        inner = keras.Model(inner_input, layers.Conv2D(4, 3)(inner_input), name="inner")
        inputs = keras.Input((16, 16, 3))
        x = layers.Conv2D(4, 3)(layers.Rescaling(1 / 255)(inputs))
        x = layers.GlobalAveragePooling2D()(inner(x))
        outputs = layers.Dense(3, activation="softmax", dtype="float32")(x)
        mixed = keras.Model(inputs, outputs)
    finally:
        keras.config.set_dtype_policy("float32")
    single = as_float32(mixed)
    assert {layer.compute_dtype for layer in single._flatten_layers()} == {"float32"}
    np.testing.assert_allclose(
        expected_scores(single, pixels), expected_scores(mixed, pixels), atol=0.02
    )
    found = scores(convert(mixed, FLOAT32, pixels), pixels)
    np.testing.assert_allclose(found, expected_scores(single, pixels), atol=1e-5)


def test_a_float32_model_is_not_copied(model):
    assert as_float32(model) is model


def test_a_fixed_batch_shares_the_weights(model):
    fixed = fix_batch(model)
    assert tuple(fixed.inputs[0].shape) == (1, 16, 16, 3)
    assert tuple(fixed.outputs[0].shape) == (1, 3)
    assert {id(w) for w in fixed.weights} == {id(w) for w in model.weights}


# What is refused.


def small_model(build, shape=(16, 16, 3)):
    import keras

    inputs = keras.Input(shape)
    return keras.Model(inputs, build(inputs))


def test_models_that_are_no_classifier_are_refused(pixels):
    import keras
    from keras import layers

    feature_map = small_model(lambda x: layers.Conv2D(4, 3)(x))
    any_size = small_model(lambda x: layers.GlobalAveragePooling2D()(x), (None, None, 3))
    one_channel = small_model(lambda x: layers.Flatten()(x), (16, 16, 1))
    inputs = keras.Input((16, 16, 3))
    pooled = layers.GlobalAveragePooling2D()(inputs)
    two_outputs = keras.Model(inputs, [pooled, pooled])
    for wrong in (feature_map, one_channel, two_outputs):
        with pytest.raises(ConversionError, match="A classifier takes one"):
            convert(wrong, FLOAT32, pixels)
    with pytest.raises(ConversionError, match="size must be fixed"):
        convert(any_size, FLOAT32, pixels)
    with pytest.raises(ConversionError, match="functional Keras model was expected, got str"):
        convert("model.keras", FLOAT32, pixels)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 16, 16, 3), np.float32), "must be uint8"),
        (np.zeros((2, 8, 16, 3), np.uint8), r"must be uint8 \(n, 16, 16, 3\)"),
        (np.zeros((16, 16, 3), np.uint8), "must be uint8"),
        (np.zeros((0, 16, 16, 3), np.uint8), "At least one"),
    ],
)
def test_representative_images_of_another_kind_are_refused(model, images, message):
    with pytest.raises(ConversionError, match=message):
        convert(model, INT8_FULL, images)


def test_a_model_that_gives_nan_is_refused(pixels):
    import keras
    from keras import layers

    broken = small_model(
        lambda x: layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    )
    broken.set_weights([np.full_like(weight, np.nan) for weight in broken.get_weights()])
    assert isinstance(broken, keras.Model)
    with pytest.raises(ConversionError, match="Keras model itself gives NaN"):
        convert(broken, FLOAT32, pixels)


def test_a_file_that_gives_nan_is_refused(pixels):
    from keras import layers

    broken = small_model(
        lambda x: layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    )
    expected = expected_scores(broken, pixels)
    broken.set_weights([np.full_like(weight, np.nan) for weight in broken.get_weights()])
    import tensorflow as tf

    content = tf.lite.TFLiteConverter.from_keras_model(fix_batch(broken)).convert()
    with pytest.raises(ConversionError, match="lost its weights"):
        check_scores(content, FLOAT32, pixels, expected, CHECKS)


def test_a_file_of_other_weights_is_refused(model, pixels, float32_file, int8_file):
    shuffled = expected_scores(model, pixels)[:, [1, 2, 0]]
    with pytest.raises(ConversionError, match="the largest difference"):
        check_scores(float32_file, FLOAT32, pixels, shuffled, CHECKS)
    with pytest.raises(ConversionError, match="the mean difference"):
        check_scores(int8_file, INT8_FULL, pixels, shuffled, CHECKS)


def test_a_file_without_weights_is_refused(float32_file):
    from keras import layers

    large = small_model(
        lambda x: layers.Dense(3)(layers.Dense(64)(layers.Flatten()(x)))
    )  # 49,000 weights, of which the tiny file has none
    with pytest.raises(ConversionError, match="written without weights"):
        check_file(float32_file, FLOAT32, large, CHECKS)


def test_a_file_of_another_interface_is_refused(model, float32_file, int8_file):
    with pytest.raises(ConversionError, match="input and output of type int8, the file has fl"):
        check_file(float32_file, INT8_FULL, model, CHECKS)
    with pytest.raises(ConversionError, match="input and output of type float32, the file has i"):
        check_file(int8_file, FLOAT32, model, CHECKS)


def test_an_input_that_does_not_take_pixels_is_refused(model, int8_file):
    from tflite.schema import read_model, write_model

    other = read_model(int8_file)
    graph = other.subgraphs[0]
    graph.tensors[graph.inputs[0]].quantization.scale = np.array([0.5], np.float32)
    with pytest.raises(ConversionError, match="must take pixels"):
        check_file(write_model(other), INT8_FULL, model, CHECKS)


def test_float_tensors_in_an_int8_file_are_refused(model, pixels, monkeypatch):
    """A file with integer interface and float inside, as dynamic-range conversion writes it."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(fix_batch(model))
    float_inside = converter.convert()
    recipe = dataclasses.replace(INT8_FULL, interface="float32", weight_bytes=1)
    check_file(float_inside, recipe, model, CHECKS)  # a float interface allows float inside
    monkeypatch.setattr(type(recipe), "integer_only", True)
    with pytest.raises(ConversionError, match="computes in integers only"):
        check_file(float_inside, recipe, model, CHECKS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["EfficientNetB0", "MobileNetV3Small", "MobileNetV3Large", "Xception", "ResNet50"]
)
def test_the_networks_of_keras_applications_convert(name):
    """Random weights at a small size; both recipes pass all their checks."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    size = 72 if name == "Xception" else 48
    body = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(size, size, 3), pooling="avg"
    )
    inputs = keras.Input((size, size, 3))
    inside = name.startswith(("EfficientNet", "MobileNetV3"))
    x = inputs if inside else layers.Rescaling(1 / 127.5, -1)(inputs)
    model = keras.Model(inputs, layers.Dense(5, activation="softmax")(body(x)))
    images = np.random.default_rng(0).integers(0, 256, (8, size, size, 3)).astype(np.uint8)
    for recipe in (FLOAT32, INT8_FULL):
        content = convert(model, recipe, images)
        kernels = sum(np.prod(w.shape) for w in model.weights if len(w.shape) > 1)
        assert len(content) > 0.9 * kernels * recipe.weight_bytes
