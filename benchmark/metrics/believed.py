"""Whether the structures that a package tells to believe are real; see docs/trust-mask.md.

Structures are pieces of what stands out (`imaging.structures`). A package with a trust mask states
from which height on they are believed; what it delivers is judged as it is, without any fit, for a
height means something on the scale on which it is stated. Not applicable without a trust mask.
"""

from benchmark.metrics.metric import Image, NotApplicable, metric
from imaging.risk_control import Judged
from imaging.risk_control import false_share as false_share_of
from imaging.structures import are_shown, covered_share, find_structures, paint
from imaging.trust_mask import TrustMask


@metric(label="False under the trust mask", direction="lower")
def false_share(truth: Image, delivered: Image, trust_mask: TrustMask) -> float:
    """Share of false structures among those under the trust mask of 90 %.

    A structure is false where the truth does not stand out at least half as far within half the
    radius of a piece. The package promises at most 0.1 in the mean over images like those that it
    was calibrated on. 0 where nothing is believed, which `found_share` shows. From 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> promised = {"0.9": 0.01}
    >>> trust = TrustMask(promised, 4, promised, promised, 9, 9, "", "")
    >>> spot = np.zeros((32, 32))
    >>> spot[16, 16] = 40
    >>> float(false_share(spot, spot, trust)), float(false_share(0 * spot, spot, trust))
    (0.0, 1.0)
    """
    structures = find_structures(delivered, trust_mask.scale_px)
    real = are_shown(structures, truth, trust_mask.scale_px)
    return false_share_of(Judged(structures.heights, real), trust_mask.levels[0])


@metric(label="Found under the trust mask", direction="higher")
def found_share(truth: Image, delivered: Image, trust_mask: TrustMask) -> float:
    """Share of the truth's structures that the trust mask of 90 % covers.

    Structures of the truth are those of `imaging.structures.find_structures`, covered where the
    mask is not 0 in their middle. From 0 to 1; not applicable where the truth has none.

    Examples
    --------
    >>> import numpy as np
    >>> promised = {"0.9": 0.01}
    >>> trust = TrustMask(promised, 4, promised, promised, 9, 9, "", "")
    >>> spot = np.zeros((32, 32))
    >>> spot[16, 16] = 40
    >>> float(found_share(spot, spot, trust)), float(found_share(spot, 0 * spot, trust))
    (1.0, 0.0)
    """
    mask = paint(delivered, trust_mask.levels[:1], trust_mask.scale_px)
    covered = covered_share(truth, mask, trust_mask.scale_px)
    if covered is None:
        raise NotApplicable("The truth shows no structure.")
    return covered
