"""Makes this folder's scenes and fakes importable, and pins the time zone that clocks on the screen use."""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
os.environ["TZ"] = "UTC"
time.tzset()
