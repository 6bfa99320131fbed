import numpy as np
import pytest

from tflite.cures.activation_swap import SwappedNetwork
from tflite.cures.auto import (
    AUTO,
    CURES,
    NONE,
    SWAP,
    TRAINING,
    Aim,
    Retraining,
    cure_int8,
    cure_names,
    named_cure,
)
from tflite.runtime.errors import LabError
from tflite.runtime.interpreter import TensorRunner


class Judge:
    """Gives losses in turn and remembers what it was asked."""

    def __init__(self, *losses):
        self.losses, self.files = list(losses), []

    def __call__(self, content):
        self.files.append(content)
        return self.losses[len(self.files) - 1], 1.0


def test_the_search_ends_with_the_first_cure_that_reaches_the_aim(model, pixels):
    judge, said = Judge(0.02, 0.001), []
    cured = cure_int8(model, pixels, AUTO, judge, say=said.append)
    assert cured.cure == CURES[1].name
    assert [a.cure for a in cured.attempts] == [c.name for c in CURES[:2]]
    assert [a.reached for a in cured.attempts] == [False, True]
    assert cured.content is judge.files[1]
    assert len(judge.files) == 2
    assert said[1] == "cure mse_calibration: accuracy -0.10 points, agreement 1.0000, reached"


def test_without_success_the_closest_to_the_aim_is_taken(model, pixels):
    answers = iter([(-0.01, 0.97), (0.002, 0.985), (0.0, 0.98), (0.002, 0.985), (0.1, 1.0)])
    cured = cure_int8(model, pixels, AUTO, lambda content: next(answers))
    # Gaining accuracy does not make up for lost agreement; of equals the cheaper wins.
    assert cured.cure == CURES[1].name


def test_without_success_the_best_is_taken_and_training_comes_last(model, pixels):
    judge = Judge(0.05, 0.04, 0.02, 0.03, 0.06, 0.05)
    trained, said = cure_int8(model, pixels, NONE, judge).content, []
    retraining = Retraining(lambda: pytest.fail("nothing to swap"), lambda images: trained)
    cured = cure_int8(model, pixels, AUTO, judge, retraining, say=said.append)
    # The network has no activation to swap.
    assert [a.cure for a in cured.attempts] == [c.name for c in CURES if c.name != SWAP]
    assert said[-2] == f"cure {SWAP}: left out, the network has no swish, hard swish or GELU"
    assert cured.cure == CURES[2].name
    assert judge.files[-1] is trained


def test_agreement_counts_too(model, pixels):
    cured = cure_int8(model, pixels, AUTO, lambda content: (0.0, 0.98), aim=Aim(agreement=0.99))
    assert not any(attempt.reached for attempt in cured.attempts)
    assert len(cured.attempts) == len(CURES) - 2  # all but those that train


@pytest.fixture(scope="module")
def smooth(model):
    """The classifier with a swish where its ReLU was."""
    import keras
    from keras import layers

    def softened(layer):
        if isinstance(layer, layers.ReLU):
            return layers.Activation("swish", name=layer.name)
        return type(layer).from_config(layer.get_config())

    made = keras.models.clone_model(model, clone_function=softened)
    made.set_weights(model.get_weights())
    return made


@pytest.fixture(scope="module")
def corrected(model, pixels):
    """The file of the classifier, its biases corrected."""
    return cure_int8(model, pixels, "bias_correction", Judge()).content


@pytest.fixture
def few(monkeypatch):
    """The search goes through few cures."""
    names = (NONE, SWAP, TRAINING)
    monkeypatch.setattr("tflite.cures.auto.CURES", tuple(c for c in CURES if c.name in names))


def test_activations_are_swapped_before_quantisation_is_trained(
    corrected, few, smooth, model, pixels
):
    judge = Judge(0.09, 0.001)
    swapped = SwappedNetwork(model, {"swapped_activations": 1})
    retraining = Retraining(lambda: swapped, lambda images: pytest.fail("not needed"))
    cured = cure_int8(smooth, pixels, AUTO, judge, retraining)
    assert cured.cure == SWAP
    assert [a.cure for a in cured.attempts] == [NONE, SWAP]
    assert cured.network is model
    assert cured.training == {"swapped_activations": 1}
    # The file is the swapped network, cured as bias correction cures any.
    assert cured.content == corrected


def test_a_better_cure_keeps_nothing_of_the_swap(few, smooth, model, pixels):
    judge = Judge(0.02, 0.08, 0.03)
    retraining = Retraining(
        lambda: SwappedNetwork(model, {"swapped_activations": 1}),
        lambda images: b"trained",
    )
    cured = cure_int8(smooth, pixels, AUTO, judge, retraining)
    assert (cured.cure, cured.network, cured.training) == (NONE, None, {})
    assert [a.cure for a in cured.attempts] == [NONE, SWAP, TRAINING]


def test_cures_stand_in_the_order_of_their_cost():
    names = [cure.name for cure in CURES]
    assert names[0] == NONE
    assert names[-3:] == ["equalization", SWAP, TRAINING]
    assert [cure.name for cure in CURES if cure.trains] == names[-2:]


UNTRAINED = [c for c in CURES if not c.trains]


@pytest.mark.parametrize("cure", UNTRAINED, ids=lambda c: c.name)
def test_each_cure_gives_an_integer_file_that_answers_as_the_model_does(cure, model, pixels):
    run = TensorRunner(cure_int8(model, pixels, cure.name, Judge()).content)
    assert run.input_quantization.takes_pixels
    found = np.stack([run(image) for image in pixels]).argmax(axis=1)
    expected = model.predict(pixels.astype(np.float32), verbose=0).argmax(axis=1)
    np.testing.assert_array_equal(found, expected)


def test_what_cannot_be_done_is_refused(model, pixels):
    with pytest.raises(LabError, match="no training data was given"):
        cure_int8(model, pixels, TRAINING, Judge())
    swap = Retraining(lambda: pytest.fail("nothing to swap"), lambda images: b"")
    with pytest.raises(LabError, match="activation_swap cannot be had: the network has no swish"):
        cure_int8(model, pixels, SWAP, Judge(), swap)
    with pytest.raises(LabError, match=r"No cure 'rest'\. There are: auto, none"):
        named_cure("rest")
    assert cure_names()[:2] == (AUTO, NONE)
