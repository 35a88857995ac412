"""Pictures as a session keeps them where it may lose a little: JPEG files, one a picture."""

import io

import numpy as np

from engine.types import U8

QUALITY = 80  #: of 100


def encoded(image: U8) -> bytes:
    """A JPEG file of a picture (H, W, 3)."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def decoded(data: bytes) -> U8:
    """What ``encoded`` made, but for what it lost. Raises OSError where it is damaged."""
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
