"""An emulated SO-101: Feetech servos that speak their protocol on a pty, and an arm behind them."""

from adapters.so101.emulator.emulator import Emulator
from adapters.so101.emulator.remote import Remote, attach, start

__all__ = ["Emulator", "Remote", "attach", "start"]
