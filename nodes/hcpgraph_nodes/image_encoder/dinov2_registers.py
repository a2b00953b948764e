"""DINOv2 with registers: Darcet et al. 2023, https://arxiv.org/abs/2309.16588."""

from __future__ import annotations

from .dinov2 import kind

TABLE = {
    "table": "image_encoders",
    "name": "dinov2_registers",
    "title": "DINOv2 with registers",
    "model_types": ["dinov2_with_registers"],
    "groups": {"image_encoder": ["vision"]},
}
KIND = kind("dinov2_registers", "Dinov2WithRegisters")
