"""Trained weights for tests, as training writes them."""

from typing import Any

import numpy as np
import torch
from torch import nn

from imaging.known_images import KnownImages
from imaging.trained_weights import Example, TrainedWeights
from imaging.training_metadata import (
    CalibrationResult,
    ImageCounts,
    InferenceCost,
    Metadata,
    Reached,
    Request,
    Settings,
    TrainingData,
)
from imaging.trust_mask import TrustMask

BEFORE = {"coverage_0.5": 0.4, "coverage_0.9": 0.8, "coverage_0.95": 0.85, "nll": -1.0, "ence": 0.5}
AFTER = {"coverage_0.5": 0.5, "coverage_0.9": 0.9, "coverage_0.95": 0.95, "nll": -2.0, "ence": 0.1}
CALIBRATION = CalibrationResult(
    interval_factors={"0.5": 0.55, "0.9": 1.5, "0.95": 2.0},
    before=BEFORE | {"mean_z2": 2.0},
    linear=BEFORE | {"mean_z2": 2.0},
    after=AFTER | {"mean_z2": 1.0},
    images=ImageCounts(calibration=3, validation=4),
    data="others",
    data_sha256="1" * 64,
)
TRUST_MASK = TrustMask(
    heights={"0.9": 0.02, "0.95": 0.05},
    scale_px=4,
    false={"0.9": 0.07, "0.95": 0.03},
    found={"0.9": 0.8, "0.95": 0.5},
    calibration_images=30,
    validation_images=60,
    data="others",
    data_sha256="1" * 64,
)


def trained_weights(
    network: nn.Module,
    model: str,
    arguments: dict[str, Any],
    *,
    calibration: CalibrationResult | None = None,
    known: KnownImages | None = None,
    trust_mask: TrustMask | None = None,
) -> TrainedWeights:
    """Weights of a network that nothing was trained with."""
    rng = np.random.default_rng(0)
    settings = Settings(
        network=arguments, patch_px=32, batch_size=2, learning_rate=1e-3, steps=6000
    )
    metadata = Metadata(
        model=model,
        request=Request(
            recipe=model,
            preset="small",
            settings=settings,
            seed=0,
            steps=12,
            minutes=None,
            data="noise",
            data_sha256="0" * 64,
        ),
        loss="mean absolute error",
        data=TrainingData(
            name="noise",
            description="",
            pixel_size_um=0.08,
            provenance={"seed": 3},
            training_images=4,
            calibration_images=1,
        ),
        versions={"torch": "2.13.0+cpu"},
        device="test CPU",
        inference=InferenceCost(0.25, 60.0, "test CPU"),
        reached=Reached(12, 3.5, 0.1, error_restored=0.1234, error_input=0.4321),
        calibration=calibration,
        known=known,
        trust_mask=trust_mask,
    )
    example = Example(
        input=torch.from_numpy(rng.random((70, 90), dtype=np.float32) * 500),
        target=torch.from_numpy(rng.random((70, 90), dtype=np.float32)),
    )
    return TrainedWeights(dict(network.state_dict()), metadata, example)
