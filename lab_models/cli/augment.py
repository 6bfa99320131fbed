"""``lab-models augment-sheet``: pictures before and after augmentation, side by side."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tflite.runtime.errors import LabError


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "augment-sheet", help="draw a sheet of images before and after augmentation"
    )
    parser.set_defaults(run=run)
    parser.add_argument("data", type=Path, metavar="DATA", help="a folder or a CSV file")
    parser.add_argument("out", type=Path, metavar="OUT.png", help="the picture to write")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--recipe", help="augment as this recipe does (default: hal_t3002)")
    what.add_argument("--preset", help="augment by a preset: none, hal_transfer, an2dl, ...")
    parser.add_argument("--scale", default="full", help="of the recipe: full, or demo")
    parser.add_argument("--kind", help="read DATA as this kind (default: recognised)")
    parser.add_argument("--images", type=int, default=10, metavar="N", help="lines of the sheet")
    parser.add_argument("--versions", type=int, default=8, metavar="N", help="pictures beside each")
    parser.add_argument("--pixels", type=int, help="size the network sees (default: the recipe's)")
    parser.add_argument("--picture", type=int, default=128, help="size on the sheet, in pixels")
    parser.add_argument("--seed", type=int, default=0)


def run(arguments: argparse.Namespace) -> None:
    """Draws the sheet and says where it is."""
    from lab_models.quiet import import_tensorflow_quietly
    from pipelines.augment_sheet import SheetSettings, choose_rows, draw_sheet
    from pipelines.datasets import open_dataset
    from tflite.runtime.files import whole_file

    if arguments.out.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise LabError(
            f"The sheet is a picture: OUT must end in .png or .jpg, got {arguments.out}."
        )
    look = SheetSettings(versions=arguments.versions, picture=arguments.picture)
    augment, contract = _what_to_show(arguments)
    manifest = open_dataset(arguments.data, arguments.kind)
    rows = choose_rows(manifest, arguments.images, arguments.seed)
    import_tensorflow_quietly()
    sheet = draw_sheet(manifest, rows, contract, augment, arguments.seed, look)
    with whole_file(arguments.out) as temporary:
        sheet.save(temporary)
    print(f"{len(rows)} images, {arguments.versions} versions each: {arguments.out}")


def _what_to_show(arguments: argparse.Namespace) -> tuple[Any, Any]:
    """The augmentation, and the input contract of the network that would see it."""
    from dataclasses import asdict, replace

    from pipelines.augment_settings import preset
    from tflite.runtime.contract import InputContract

    if arguments.preset:
        pixels = 96 if arguments.pixels is None else arguments.pixels
        return preset(arguments.preset), InputContract(height=pixels, width=pixels)
    from lab_models.backbones import backbone_spec
    from lab_models.recipes import get_recipe

    recipe = get_recipe(arguments.recipe or "hal_t3002").at_scale(arguments.scale)
    contract = backbone_spec(recipe.backbone).contract(**asdict(recipe.input))
    if arguments.pixels is not None:
        contract = replace(contract, height=arguments.pixels, width=arguments.pixels)
    return recipe.augment, contract
