import numpy as np
import pytest

from tflite.cures.auto import AUTO, CURES, NONE, TRAINING, Aim, cure_int8, cure_names, named_cure
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
    trained = cure_int8(model, pixels, NONE, judge).content
    cured = cure_int8(model, pixels, AUTO, judge, fine_tune=lambda images: trained)
    assert [a.cure for a in cured.attempts] == [c.name for c in CURES]
    assert cured.cure == CURES[2].name
    assert judge.files[-1] is trained


def test_agreement_counts_too(model, pixels):
    cured = cure_int8(model, pixels, AUTO, lambda content: (0.0, 0.98), aim=Aim(agreement=0.99))
    assert not any(attempt.reached for attempt in cured.attempts)
    assert len(cured.attempts) == len(CURES) - 1  # all but the one that trains


@pytest.mark.parametrize("cure", [c for c in CURES if c.post_training], ids=lambda c: c.name)
def test_each_cure_gives_an_integer_file_that_answers_as_the_model_does(cure, model, pixels):
    run = TensorRunner(cure_int8(model, pixels, cure.name, Judge()).content)
    assert run.input_quantization.takes_pixels
    found = np.stack([run(image) for image in pixels]).argmax(axis=1)
    expected = model.predict(pixels.astype(np.float32), verbose=0).argmax(axis=1)
    np.testing.assert_array_equal(found, expected)


def test_what_cannot_be_done_is_refused(model, pixels):
    with pytest.raises(LabError, match="no training data was given"):
        cure_int8(model, pixels, TRAINING, Judge())
    with pytest.raises(LabError, match=r"No cure 'rest'\. There are: auto, none"):
        named_cure("rest")
    assert cure_names()[:2] == (AUTO, NONE)
