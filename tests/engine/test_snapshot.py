"""What a screen is told of an inference."""

import math

import numpy as np

from engine.snapshot import brief
from engine.types import Inference

MS = 1_000_000


def test_every_signal_is_as_old_as_the_exposure_it_was_computed_from() -> None:
    exposed = np.full(18, 900 * MS)
    exposed[14], exposed[10] = 600 * MS, 0
    quantile = np.full(18, np.nan)
    quantile[0] = 0.97
    inference = Inference(
        id=1,
        exposed_ns=900 * MS,
        start_ns=910 * MS,
        end_ns=990 * MS,
        base_pose=np.zeros(7),
        chunks=np.zeros((5, 4, 16, 7), np.float32),
        step_s=0.05,
        signals=np.zeros(18),
        valid=exposed > 0,
        signal_ns=exposed,
        ratio=np.ones(18),
        quantile=quantile,
        heads={},
        stage_ms={},
        members=5,
        finite=True,
    )
    shown = brief(inference, 1000 * MS, 8.0)
    assert shown.age == 0.1
    assert (shown.signal_age[0], shown.signal_age[14]) == (0.1, 0.4)
    assert math.isnan(shown.signal_age[10])
    assert math.isclose(shown.confidence, 0.03)
