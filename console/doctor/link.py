"""The way from here to the operator's eyes and hands: how long it takes and how much it carries."""

from statistics import median

from console.doctor.check import Result
from console.probe import Answers

RTT_SLOW, RTT_LATE = 0.2, 0.5  #: s, median: where held keys give way to steps; where the robot slows by itself
SCREEN = 30.0  #: kB/s of a full screen's figures at 10 Hz, by their budget
PICTURES = 75.0  #: kB/s with pictures
LEAST = 4.0  #: kB/s below which figures come less than twice a second


def link(answers: Answers | str, multiplexer: str) -> Result:
    """A link that is slow is survived: the robot slows and stops by it. What is judged is whether one can work over it."""
    if isinstance(answers, str):
        return Result("ok", answers)
    if not answers.rtts:
        return Result(
            "fail",
            "the terminal answers no status request",
            "Use a terminal that answers CSI 5 n: without answers nothing proves that somebody is there, and the robot stops by itself.",
        )
    middle, most = median(answers.rtts), max(answers.rtts)
    found = f"round trip {middle * 1e3:.0f} ms p50, {most * 1e3:.0f} max of {len(answers.rtts)}; carries {carried(answers.drain)}"
    if multiplexer:
        return Result("warn", f"{found}, but {multiplexer} answered", f"Run the doctor outside {multiplexer}, to measure the link itself.")
    if middle > RTT_LATE or answers.drain < LEAST:
        return Result("fail", found, "Move nearer or use another link: the robot would slow and stop because you hear of it too late.")
    if middle > RTT_SLOW or most > RTT_LATE:
        return Result("warn", found, "Use a shorter or steadier link: held keys end late on this one, so it may be given steps only.")
    if answers.drain < SCREEN:
        return Result("warn", found, "Turn the picture off (V) and make the window smaller: figures will come late.")
    if answers.drain < PICTURES:
        return Result("warn", found, "Turn the picture off (V) when the header says that the link is slow.")
    return Result("ok", found)


def carried(rate: float) -> str:
    """kB/s in words; more than can be told apart in the time is said as that."""
    return "over 10 MB/s" if rate > 10_000 else f"{rate:.0f} kB/s" if rate >= 10 else f"{rate:.1f} kB/s"
