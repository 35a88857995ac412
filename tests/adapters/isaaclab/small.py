"""A script with a lock, as small as uv installs one."""

import zipfile
from pathlib import Path


def script(folder: Path, body: str, wheel: str = "sawdust-1.0-py3-none-any.whl", registry: str = "") -> Path:
    """A script with a lock that needs one wheel: a file beside it, or at ``registry``."""
    if registry:
        place = f'{{ url = "{registry}/{wheel}", hash = "sha256:{"0" * 64}" }}'
    else:
        with zipfile.ZipFile(folder / wheel, "w") as packed:
            packed.writestr("sawdust.py", "GRAINS = 7\n")
            packed.writestr("sawdust-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: sawdust\nVersion: 1.0\n")
            packed.writestr(
                "sawdust-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            packed.writestr("sawdust-1.0.dist-info/RECORD", "sawdust.py,,\n")
        place = f'{{ path = "{folder / wheel}" }}'
    made = folder / "small.py"
    made.write_text(f'# /// script\n# requires-python = ">=3.12,<3.13"\n# dependencies = ["sawdust"]\n# ///\n{body}\n')
    made.with_name("small.py.lock").write_text(
        'version = 1\nrequires-python = ">=3.12, <3.13"\n[manifest]\nrequirements = [{ name = "sawdust" }]\n'
        f'[[package]]\nname = "sawdust"\nversion = "1.0"\nsource = {{ registry = "{registry or folder}" }}\nwheels = [{place}]\n'
    )
    return made
