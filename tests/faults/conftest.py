"""One workshop for all faults: the policy is loaded once and the cameras' kernels are compiled once."""

import logging
from collections.abc import Iterator

import pytest

from engine.config import Settings
from engine.faults.workshop import Workshop


@pytest.fixture(scope="session")
def workshop() -> Iterator[Workshop]:
    with Workshop(Settings(), logging.getLogger(__name__).info) as made:
        yield made
