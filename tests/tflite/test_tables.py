from tflite.tables import markdown_table


def test_columns_are_aligned_and_numbers_stand_right():
    text = markdown_table([["model", "ms"], ["float32", "1.25"], ["int8", "10.50"]])
    assert text == (
        "| model   |    ms |\n"
        "|---------|------:|\n"
        "| float32 |  1.25 |\n"
        "| int8    | 10.50 |\n"
    )  # fmt: skip
