"""The header, and the C example that uses it, held against the Python runner."""

import ctypes
import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tflite.c_header import c_header, header_path, identifier
from tflite.runtime.bundle import read_bundle
from tflite.runtime.classifier import Classifier
from tflite.runtime.contract import InputContract
from tflite.runtime.preprocess import crop_box, prepare_image
from tflite.runtime.quantize import TensorQuantization
from tflite.runtime.results import decide
from tflite.runtime.scores import softmax

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "device_example.c"
GOLDEN = ROOT / "tests" / "data" / "tiny_bundle" / "model_int8.tflite"
# No fused multiply-add: its other rounding would move a weight in 2^22 now and then.
FLAGS = ["-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-pedantic"]
COMPILERS = {"c89": ["cc", "-std=c89"], "c++": ["c++", "-x", "c++", "-std=c++98"]}

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler cc")


@pytest.fixture(scope="module")
def sidecar():
    return read_bundle(GOLDEN).sidecar


def macros(header):
    return dict(re.findall(r"^#define (\w+) (.+)$", header, re.M))


def test_the_header_says_what_the_sidecar_says(sidecar):
    labels = sidecar.labels
    sidecar = dataclasses.replace(
        sidecar,
        temperature=1.25,
        rejection_thresholds={labels[0]: 0.5, labels[1]: 0.0, labels[2]: 0.625},
    )
    header = c_header(sidecar, "model_int8")
    assert header.splitlines()[0].startswith("/* What a program must know about model_int8.tflite")
    found = {name.removeprefix("MODEL_INT8_"): value for name, value in macros(header).items()}
    assert header.isascii()
    for name, value in {
        "MODEL_BYTES": f"{sidecar.model_bytes}L", "MODEL_SHA256": f'"{sidecar.model_sha256}"',
        "INPUT_HEIGHT": "16", "INPUT_WIDTH": "16", "INPUT_CHANNELS": "3", "CROP": "1.0",
        "COLOUR_RGB": "1", "COLOUR_LUMINANCE": "0",
        "INTERPOLATION_BILINEAR": "1", "INTERPOLATION_NEAREST": "0",
        "INPUT_INT8": "1", "INPUT_UINT8": "0", "INPUT_FLOAT32": "0", "INPUT_SCALE": "1.0",
        "INPUT_ZERO_POINT": "(-128)", "INPUT_TAKES_PIXELS": "1", "OUTPUT_INT8": "1",
        "OUTPUT_SCALE": repr(sidecar.output_quantization.scale),
        "OUTPUT_ZERO_POINT": f"({sidecar.output_quantization.zero_point})", "CLASSES": "3",
        "LABELS": '{"lymphocyte", "segmented_neutrophil", "large_thrombocyte"}',
        "CLASS_LYMPHOCYTE": "0", "CLASS_SEGMENTED_NEUTROPHIL": "1", "CLASS_LARGE_THROMBOCYTE": "2",
        "TEMPERATURE": "1.25", "REJECTION_THRESHOLDS": "{0.5, 0.0, 0.625}",
        "UNKNOWN": '"unknown"',
    }.items():  # fmt: skip
        assert found[name] == value, name


def test_a_float_model_takes_no_pixels(sidecar):
    sidecar = dataclasses.replace(sidecar, input_quantization=TensorQuantization("float32"))
    found = macros(c_header(sidecar, "model_float32"))
    assert found["MODEL_FLOAT32_INPUT_FLOAT32"] == "1"
    assert found["MODEL_FLOAT32_INPUT_TAKES_PIXELS"] == "0"


def test_the_header_stands_beside_the_bundle():
    assert header_path(Path("runs/x/model_int8.tflite")) == Path("runs/x/model_int8.h")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("model_int8", "MODEL_INT8"), ("  a--b.c ", "A_B_C"), ("größe", "GR_SSE"), ("细胞", "")],
)
def test_identifiers(text, expected):
    assert identifier(text) == expected


ODD_LABELS = (
    "what??!",
    'a "b" \\',
    "größe µm",
    "细胞",
    "血",
    "a/b",
    "a-b",
    "7",
    "*/ #error",
    "int",
)


def test_odd_labels_and_names_give_different_identifiers(sidecar):
    odd = dataclasses.replace(sidecar, labels=ODD_LABELS, rejection_thresholds={})
    for name in ("8 bit", "细胞", "*/ x"):
        header = c_header(odd, name)
        classes = [macro for macro in macros(header) if "_CLASS_" in macro]
        assert len(classes) == len(ODD_LABELS)
        assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", macro) for macro in macros(header))


def test_identifiers_that_would_collide_are_numbers(sidecar):
    labels = ("a 2", "a", "A")  # the third would be called a_2
    odd = dataclasses.replace(sidecar, labels=labels, rejection_thresholds={})
    found = macros(c_header(odd, "m"))
    assert [found[f"M_CLASS_{n}"] for n in range(3)] == ["0", "1", "2"]


# Compiled.


def compile_example(folder, header, language="c89"):
    (folder / "model_int8.h").write_text(header)
    program = folder / "example"
    command = [*COMPILERS[language], *FLAGS, f"-I{folder}", str(EXAMPLE), "-o", str(program), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


@pytest.fixture(scope="module")
def functions(tmp_path_factory):
    """The example's functions in a library."""
    path = tmp_path_factory.mktemp("c") / "example.so"
    subprocess.run(
        ["cc", "-std=c89", *FLAGS, "-DLAB_ONLY_FUNCTIONS", "-shared", "-fPIC", str(EXAMPLE),
         "-o", str(path), "-lm"], check=True,
    )  # fmt: skip
    return ctypes.CDLL(str(path))


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def prepare_in_c(functions, image, contract):
    height, width = image.shape[:2]
    box = (ctypes.c_float * 4)()
    functions.lab_crop_box(
        width, height, contract.width, contract.height, ctypes.c_double(contract.crop), box
    )
    np.testing.assert_array_equal(list(box), np.float32(crop_box((width, height), contract)))
    out = np.empty(contract.shape, np.uint8)
    assert functions.lab_resize(
        pointer(image), width, height, box, pointer(out), contract.width, contract.height
    )
    if contract.colour == "luminance":
        functions.lab_luminance(pointer(out), ctypes.c_long(contract.width * contract.height))
    return out


sizes = st.integers(1, 120)


@needs_compiler
@given(
    size=st.tuples(sizes, sizes),
    contract=st.builds(
        InputContract, st.integers(8, 90), st.integers(8, 90), st.floats(0.01, 1.0) | st.just(1.0)
    ),
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["noise", "black and white", "ramp"]),
)
@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_crop_and_resize_give_the_bytes_of_the_runner(functions, size, contract, seed, kind):
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    if kind == "black and white":
        image = np.where(image > 127, np.uint8(255), np.uint8(0))
    elif kind == "ramp":
        image = np.ascontiguousarray(np.sort(image, axis=1))
    found = prepare_in_c(functions, image, contract)
    np.testing.assert_array_equal(found, prepare_image(image, contract))


@needs_compiler
@pytest.mark.slow
def test_crop_and_resize_give_the_bytes_of_the_runner_for_thousands(functions):
    generator = np.random.default_rng(3001)
    for _ in range(5000):
        width, height = generator.integers(1, 400, 2)
        contract = InputContract(
            *(int(n) for n in generator.integers(8, 300, 2)), crop=float(generator.uniform(0.01, 1))
        )
        image = generator.integers(0, 256, (height, width, 3), np.uint8)
        found = prepare_in_c(functions, image, contract)
        np.testing.assert_array_equal(found, prepare_image(image, contract))


@needs_compiler
def test_luminance_is_that_of_the_runner(functions):
    # Every 5th value of each channel, in one image that is not resized.
    steps = np.arange(0, 256, 5, np.uint8)
    image = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    image = np.ascontiguousarray(image.reshape(len(steps), -1, 3))
    contract = InputContract(image.shape[0], image.shape[1], colour="luminance")
    found = prepare_in_c(functions, image, contract)
    np.testing.assert_array_equal(found, prepare_image(image, contract))


@needs_compiler
@given(
    logits=st.lists(st.integers(-128, 127), min_size=2, max_size=20),
    temperature=st.floats(0.05, 20),
    threshold=st.floats(0, 1),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_scores_and_answer_are_those_of_the_runner(functions, logits, temperature, threshold):
    values = np.array(logits, np.float64) * 0.0621
    count, scores, accepted = len(logits), np.empty(len(logits)), ctypes.c_int()
    functions.lab_softmax(pointer(values), pointer(scores), count, ctypes.c_double(temperature))
    expected = softmax(values, temperature)
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-9)
    thresholds = np.full(count, threshold)
    best = functions.lab_decide(pointer(scores), pointer(thresholds), count, ctypes.byref(accepted))
    labels = [str(n) for n in range(count)]
    result = decide(labels, expected, dict.fromkeys(labels, threshold))
    assert (str(best), bool(accepted.value)) == (result.predicted, result.accepted)


@needs_compiler
@pytest.mark.parametrize("language", COMPILERS)
@pytest.mark.parametrize(("temperature", "threshold"), [(1.0, 0.0), (2.5, 0.9)])
def test_the_program_prepares_and_decides_as_the_runner(
    sidecar, tmp_path, language, temperature, threshold
):
    if shutil.which(COMPILERS[language][0]) is None:
        pytest.skip(f"there is no compiler {COMPILERS[language][0]}")
    changed = dataclasses.replace(
        sidecar,
        temperature=temperature,
        rejection_thresholds=dict.fromkeys(sidecar.labels, threshold),
    )
    program = compile_example(tmp_path, c_header(changed, "model_int8"), language)
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    done = subprocess.run(
        [program, "prepare", "48", "32"], input=image.tobytes(), capture_output=True, check=True
    )
    expected = prepare_image(image, sidecar.input).astype(np.int16) - 128
    np.testing.assert_array_equal(
        np.frombuffer(done.stdout, np.int8), expected.astype(np.int8).ravel()
    )
    classifier = Classifier(GOLDEN)
    for name in ("lymphocyte.png", "segmented_neutrophil.bmp"):
        logits = classifier.logits(prepare_image(GOLDEN.with_name(name), sidecar.input))
        output = sidecar.output_quantization
        stored = np.rint(logits / output.scale + output.zero_point).astype(np.int8)
        done = subprocess.run(
            [program, "decide"], input=stored.tobytes(), capture_output=True, check=True
        )
        result = decide(sidecar.labels, softmax(logits, temperature), changed.rejection_thresholds)
        label, score, predicted = done.stdout.decode().rstrip("\n").split("\t")
        assert (label, predicted) == (result.label, result.predicted)
        assert float(score) == pytest.approx(result.score, abs=2e-6)


@needs_compiler
@pytest.mark.parametrize("arguments", [[], ["prepare"], ["prepare", "0", "9"], ["decide", "x"]])
def test_the_program_tells_its_usage(sidecar, tmp_path, arguments):
    program = compile_example(tmp_path, c_header(sidecar, "model_int8"))
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    assert (done.returncode, done.stderr[:5]) == (2, "usage")
    assert subprocess.run([program, "decide"], input=b"", capture_output=True).returncode == 1


@needs_compiler
@pytest.mark.parametrize("language", COMPILERS)
def test_the_header_compiles_with_odd_labels_and_keeps_them(sidecar, tmp_path, language):
    if shutil.which(COMPILERS[language][0]) is None:
        pytest.skip(f"there is no compiler {COMPILERS[language][0]}")
    odd = dataclasses.replace(sidecar, labels=ODD_LABELS, rejection_thresholds={})
    (tmp_path / "odd.h").write_text(c_header(odd, "8 bit */"))
    (tmp_path / "odd.c").write_text(
        '#include "odd.h"\n#include "odd.h"\n#include <stdio.h>\n\n'
        "int main(void) {\n"
        "    static const char *const labels[MODEL_8_BIT_CLASSES] = MODEL_8_BIT_LABELS;\n"
        "    int i;\n"
        "    for (i = 0; i < MODEL_8_BIT_CLASSES; i++) puts(labels[i]);\n"
        "    return MODEL_8_BIT_CLASS_INT;\n}\n"
    )
    command = [*COMPILERS[language], *FLAGS, "odd.c", "-o", "odd"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "odd"], capture_output=True)
    assert done.returncode == ODD_LABELS.index("int")
    assert done.stdout.decode().splitlines() == list(ODD_LABELS)
