from inspect import getattr_static

import pytest
from torch import nn

from packages.care.model import UNet
from packages.care_ensemble.model import CareEnsemble
from packages.dfcan.model import DFCAN
from packages.hazematching.model import HazeMatching
from packages.hazematching.published import PublishedHazeMatching
from packages.hdn.model import HDN
from packages.network_contract import (
    DrawsInSteps,
    DrawsSamples,
    ReachesFar,
    RestorationNetwork,
    StatesStd,
    reaches_far,
    states_std,
)
from packages.rcan.model import RCAN
from packages.sfsrm.model import SFSRM
from packages.updown.model import UpDown

CARE = UNet(filters=4)
ENSEMBLE = CareEnsemble(filters=4)
LADDER = HDN(filters=[4, 4])
FLOW = HazeMatching(filters=4, width=4)
FOURIER = DFCAN(filters=4, groups=1, blocks=1)
EDGES = SFSRM(filters=4, growth=2, blocks=1)
PUBLISHED = PublishedHazeMatching(multipliers=[1], attention_level=0)
ATTENTION = RCAN(groups=1, blocks=1, filters=8)
CASCADE = UpDown(units=1, filters=4)
# Annotated: the type checker tells whether they keep the contract.
RESTORING: list[RestorationNetwork] = [
    CARE,
    ENSEMBLE,
    LADDER,
    FLOW,
    PUBLISHED,
    ATTENTION,
    CASCADE,
    FOURIER,
    EDGES,
]
REACHING: list[ReachesFar] = [ATTENTION, CASCADE, FOURIER]
STATING: list[StatesStd] = [ENSEMBLE, LADDER, FLOW, PUBLISHED]
DRAWING: list[DrawsSamples] = [LADDER, FLOW, PUBLISHED]
STEPPING: list[DrawsInSteps] = [FLOW, PUBLISHED]


@pytest.mark.parametrize("network", RESTORING)
def test_networks_are_told_apart(network: nn.Module) -> None:
    assert isinstance(network, RestorationNetwork)
    assert states_std(network) == (network in STATING)
    assert isinstance(network, DrawsSamples) == (network in DRAWING)
    assert isinstance(network, DrawsInSteps) == (network in STEPPING)
    assert reaches_far(network) == (network in [*DRAWING, *REACHING])


@pytest.mark.parametrize(
    ("networks", "name"),
    [
        (RESTORING, "divisor"),
        (REACHING, "reaches_far"),
        (DRAWING, "samples"),
        (STEPPING, "steps"),
    ],
)
def test_newer_pythons_see_what_they_are_told_apart_by(
    networks: list[nn.Module], name: str
) -> None:
    # From Python 3.12 on, `isinstance` with a protocol looks attributes up like this.
    for network in networks:
        assert getattr_static(network, name) > 0


def test_other_modules_keep_no_contract() -> None:
    assert not isinstance(nn.Conv2d(1, 1, 3), RestorationNetwork)
    assert not states_std(nn.Conv2d(1, 1, 3))
