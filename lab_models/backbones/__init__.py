"""Backbones: image networks without their top, each with its input contract."""

from lab_models.backbones.registry import (
    Backbone,
    BackboneSpec,
    backbone_spec,
    build_backbone,
    list_backbones,
    register_backbone,
)

__all__ = [
    "Backbone",
    "BackboneSpec",
    "backbone_spec",
    "build_backbone",
    "list_backbones",
    "register_backbone",
]
