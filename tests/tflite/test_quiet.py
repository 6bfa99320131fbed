import os
import sys

import pytest

from tflite.quiet import quiet_converter


def test_the_converters_chatter_goes_and_other_lines_stay(capfd):
    with quiet_converter():
        print("Saved artifact at")
        os.write(2, b"fully_quantize: 1, inference_type: 6\n")
        os.write(2, b"something went wrong\n")
    os.write(2, b"after\n")
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err == "something went wrong\nafter\n"


def test_an_error_gets_through_and_standard_error_is_whole_again(capfd):
    def fail():
        os.write(2, b"why\n")
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"), quiet_converter():
        fail()
    print("still here", file=sys.stderr)
    assert capfd.readouterr().err == "why\nstill here\n"


def test_quantising_prints_nothing(model, pixels, capfd):
    from tflite.convert import convert
    from tflite.quantization_recipes import INT8_FULL

    convert(model, INT8_FULL, pixels[:4])
    assert "fully_quantize" not in "".join(capfd.readouterr())
