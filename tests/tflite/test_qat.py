import numpy as np
import pytest

from tflite.fine_tuning import FineTuneSettings, steps_of
from tflite.qat import QatSettings, device_scaling
from tflite.runtime.errors import LabError

SIZE = 16


def _toy_images(count, seed):
    """Noise with a bright square whose corner is the class."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, count)
    images = generator.integers(0, 140, (count, SIZE, SIZE, 3))
    half = SIZE // 2
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 2)
        image[row * half : (row + 1) * half, column * half : (column + 1) * half] += 60
    return images.astype(np.uint8), labels


def _gated_net():
    """A little of everything that TFMOT's own scheme refuses."""
    import keras
    from keras import layers

    image = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 127.5, -1)(image)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.Activation("hard_silu")(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    y = layers.Activation("swish")(layers.BatchNormalization()(y))
    gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
    gate = layers.Conv2D(4, 1, activation="relu")(gate)
    gate = layers.Conv2D(8, 1)(gate)
    gate = layers.ReLU(6.0)(gate + 3.0) * (1 / 6)
    y = layers.Multiply()([y, gate])
    y = layers.Multiply()([y, layers.Conv2D(8, 1, activation="sigmoid")(y)])
    x = layers.Activation("relu")(layers.Add()([x, layers.Conv2D(8, 1)(y)]))
    x = layers.SeparableConv2D(12, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(layers.ZeroPadding2D(1)(x))
    x = layers.Dropout(0.1)(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(4, activation="softmax", name="predictions")(x))


@pytest.fixture(scope="module")
def trained():
    """The net, trained a little, with its images, one-hot labels, and batches of them."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(3)
    images, labels = _toy_images(96, 0)
    onehot = np.eye(4, dtype=np.float32)[labels]
    model = _gated_net()
    # Step by step: a graph of this little net takes longer to build than to do without.
    model.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy", run_eagerly=True)
    model.fit(images.astype(np.float32), onehot, epochs=6, batch_size=32, verbose=0)
    batches = tf.data.Dataset.from_tensor_slices((images.astype(np.float32), onehot)).batch(16)
    return model, images, labels, batches


@pytest.fixture(scope="module")
def result(trained):
    from tflite.qat import fine_tune_quantization_aware

    model, images, _, batches = trained
    lines = []
    settings = QatSettings(epochs=2)
    found = fine_tune_quantization_aware(
        model, batches, batches, images, settings=settings, say=lines.append
    )
    assert len(lines) == 2
    assert "epoch 2 of 2" in lines[1]
    return found


@pytest.fixture(scope="module")
def content(trained, result):
    from tflite.qat import convert_quantization_aware

    return convert_quantization_aware(result, trained[1])


def test_history_begins_before_training_and_the_classifier_stays(trained, result):
    model = trained[0]
    assert [row["epoch"] for row in result.history] == [0, 1, 2]
    assert {"val_loss", "val_accuracy"} <= set(result.history[0])
    assert {"loss", "accuracy", "seconds"} <= set(result.history[1])
    assert result.classifier is model
    before, after = model.get_weights(), result.to_keras().get_weights()
    assert [w.shape for w in before] == [w.shape for w in after]


def test_the_best_epoch_wins(trained, result):
    images, labels = trained[1], trained[2]
    logits = result.model(images.astype(np.float32), training=False).numpy()
    best = max(row["val_accuracy"] for row in result.history)
    assert (logits.argmax(1) == labels).mean() == pytest.approx(best)


def test_the_file_computes_in_integers_and_answers_as_simulated(trained, result, content):
    from tflite.runtime.interpreter import TensorRunner, load_interpreter

    images = trained[1][:32]
    interpreter = load_interpreter(content, delegates=False)
    types = {np.dtype(d["dtype"]).name for d in interpreter.get_tensor_details()}
    assert types <= {"int8", "int32"}
    run = TensorRunner(content)
    assert run.input_quantization.takes_pixels
    found = np.stack([run(image) for image in images])
    simulated = result.model(images.astype(np.float32), training=False).numpy()
    quanta = np.abs(found - simulated) / run.output_quantization.scale
    assert quanta.mean() < 2
    assert simulated.std() / run.output_quantization.scale > 20


def test_trained_ranges_are_those_of_the_file(result, content):
    from tflite.quantize_configs import range_variables
    from tflite.runtime.interpreter import TensorRunner

    ranges = range_variables(result.model)
    low, high = ranges["logits"]
    assert TensorRunner(content).output_quantization.scale == pytest.approx(
        (high - low) / 255, rel=1e-4
    )
    assert all(low <= 0 <= high for low, high in ranges.values())
    # Training moved them from where calibration put them, the fixed ones excepted.
    assert ranges["input_scaling"] == pytest.approx((-128 / 127.5, 127 / 127.5))


def test_only_what_the_device_stores_is_rounded(result):
    from tflite.quantize_configs import range_variables

    stored = set(range_variables(result.model))
    kinds = {layer.name: type(layer).__name__ for layer in result.twin.model.layers}
    assert not any(kinds[name] == "MaxPooling2D" for name in stored)
    first = next(n for n, kind in kinds.items() if kind == "Conv2D")
    assert first not in stored  # its normalisation becomes part of it


def test_teacher_and_labels_are_mixed(trained):
    from tflite.fine_tuning import Trainer

    model, images, labels, batches = trained
    onehot = np.eye(4, dtype=np.float32)[labels[:8]]
    scores = np.asarray(model(images[:8].astype(np.float32), training=False))
    settings = FineTuneSettings(distillation=0.25)
    trainer = Trainer(None, batches, None, 1, settings, model, print)
    mixed = trainer._targets(images[:8].astype(np.float32), onehot)
    np.testing.assert_allclose(mixed, 0.75 * onehot + 0.25 * scores, atol=1e-6)


@pytest.mark.parametrize(
    ("scale", "offset", "moved", "ends"),
    [
        ((1 / 127.5,) * 3, (-1.0,) * 3, (-128 / 127.5,) * 3, (-128 / 127.5, 127 / 127.5)),
        ((1 / 255,) * 3, (0.0,) * 3, (0.0,) * 3, (0.0, 1.0)),
        ((1.0,) * 3, (-124.0, -117.0, -104.0), (-124.0, -117.0, -104.0), (-124.0, 151.0)),
        ((0.5,) * 3, (10.0,) * 3, (10.0,) * 3, (0.0, 137.5)),
    ],
)
def test_scaling_falls_on_whole_grey_levels(scale, offset, moved, ends):
    found, found_ends = device_scaling(scale, offset)
    assert found == pytest.approx(moved)
    assert found_ends == pytest.approx(ends)


@pytest.mark.parametrize(
    "fields",
    [
        {"epochs": 0},
        {"learning_rate": 0.0},
        {"freeze_batch_norm_after": -1},
        {"distillation": 1.5},
        {"range_decay": -0.1},
    ],
)
def test_bad_settings_are_named(fields):
    with pytest.raises(LabError, match=next(iter(fields))):
        QatSettings(**fields)


def test_endless_batches_need_a_number_of_steps():
    import tensorflow as tf

    endless = tf.data.Dataset.range(3).repeat()
    assert steps_of(endless, 7) == 7
    with pytest.raises(LabError, match="steps="):
        steps_of(endless, None)


def test_layers_without_int8_kernels_are_refused():
    import keras
    from keras import layers

    from tflite.qat import quantize_twin
    from tflite.tf_keras_twin import build_twin

    image = keras.Input((8, 8, 3))
    x = layers.LayerNormalization(name="norm")(layers.Conv2D(4, 1)(image))
    twin = build_twin(keras.Model(image, layers.GlobalAveragePooling2D()(x)))
    with pytest.raises(LabError, match=r"'norm'.*dynamic_int8"):
        quantize_twin(twin, np.zeros((2, 8, 8, 3), np.uint8), 0.99)


def test_a_layer_used_twice_has_no_single_range():
    import keras
    from keras import layers

    from tflite.qat import quantize_twin
    from tflite.tf_keras_twin import build_twin

    image = keras.Input((8, 8, 3))
    twice = layers.Conv2D(3, 1, name="twice")
    twin = build_twin(keras.Model(image, layers.GlobalAveragePooling2D()(twice(twice(image)))))
    with pytest.raises(LabError, match="'twice' is used more than once"):
        quantize_twin(twin, np.zeros((2, 8, 8, 3), np.uint8), 0.99)


def test_a_twin_that_differs_is_noticed():
    import keras
    from keras import layers

    from tflite.qat import check_twin
    from tflite.tf_keras_twin import build_twin

    image = keras.Input((8, 8, 3))
    twin = build_twin(keras.Model(image, layers.GlobalAveragePooling2D()(image)))
    images = np.full((2, 8, 8, 3), 100, np.uint8)
    check_twin(twin, images)
    flat = layers.Flatten()(layers.Conv2D(2, 8)(image))
    broken = build_twin(keras.Model(image, flat))
    broken.model.set_weights([w + 1 for w in broken.model.get_weights()])
    with pytest.raises(LabError, match="differs from it"):
        check_twin(broken, images)
