"""One formula for numpy arrays and torch tensors: both libraries share the names and arguments that the signals use."""

from typing import Any

import numpy as np

type Array = Any  #: a numpy array or a torch tensor


def namespace(array: Array) -> Any:
    """``numpy`` or ``torch``, whichever made the array."""
    if isinstance(array, (np.ndarray, np.generic)):
        return np
    import torch  # here, so that what computes in numpy alone does not load it

    return torch


def like(values: Array, other: Array) -> Array:
    """``values`` in double precision, of the kind of ``other`` and on its device."""
    xp = namespace(other)
    if xp is np:
        return np.asarray(values, dtype=np.float64)
    return xp.as_tensor(values, dtype=xp.float64, device=other.device)


def to_numpy(array: Array) -> Any:
    """The array, or a copy of the tensor, in numpy."""
    return array if namespace(array) is np else array.detach().cpu().numpy()
