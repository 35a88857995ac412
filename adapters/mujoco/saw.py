"""The saw as a rigid body: where its teeth and its far handle are and move, and the wrench of what acts on them."""

from dataclasses import dataclass

from adapters.mujoco import layout
from adapters.mujoco.cutting import Bite, Blade
from adapters.mujoco.partner import Handle

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Motion:
    """The tool frame's place (m), velocity (m/s, rad/s) and attitude, base axes. ``turn`` is a rotation matrix, row by row."""

    x: float
    y: float
    z: float
    vx: float
    vy: float
    vz: float
    wx: float
    wy: float
    wz: float
    turn: list[float]

    def teeth(self) -> Triple:
        """(3,) m, from the tool frame to where the tooth line crosses the log's axis."""
        along = layout.STROKE_X - self.x
        return along, self.turn[3] * along, self.turn[6] * along

    def grip(self) -> Triple:
        """(3,) m, from the tool frame to the middle of the far handle."""
        t, a, b = self.turn, layout.HANDLE_AHEAD, layout.HANDLE_UP
        return t[0] * a + t[2] * b, t[3] * a + t[5] * b, t[6] * a + t[8] * b

    def blade(self) -> Blade:
        """What the wood meets."""
        along, side, rise = self.teeth()
        return Blade(
            x=self.x,
            y=self.y + side,
            z=self.z + rise,
            vx=self.vx,
            vy=self.vy + self.wz * along,
            vz=self.vz - self.wy * along,
            pitch=-self.turn[6],
            yaw=self.turn[3],
            pitch_rate=self.wy,
            yaw_rate=self.wz,
        )

    def handle(self, in_wood: bool) -> Handle:
        """What the partner's hand feels."""
        rx, ry, rz = self.grip()
        return Handle(
            x=self.x + rx - layout.STROKE_X - layout.HANDLE_AHEAD,
            vx=self.vx + self.wy * rz - self.wz * ry,
            y=self.y + ry,
            vy=self.vy + self.wz * rx - self.wx * rz,
            rise=rz - layout.HANDLE_UP,
            vz=self.vz + self.wx * ry - self.wy * rx,
            in_wood=in_wood,
        )


def wrench(motion: Motion, wood: Bite, hand: Triple) -> tuple[float, ...]:
    """(6,) N and N m about the tool frame: the wood at the teeth and the hand at the far handle."""
    px, py, pz = motion.grip()
    qx, qy, qz = motion.teeth()
    hx, hy, hz = hand
    return (
        wood.fx + hx,
        wood.fy + hy,
        wood.fz + hz,
        py * hz - pz * hy + qy * wood.fz - qz * wood.fy,
        pz * hx - px * hz + qz * wood.fx - qx * wood.fz + wood.pitch_torque,
        px * hy - py * hx + qx * wood.fy - qy * wood.fx + wood.yaw_torque,
    )


def moved_to(force: tuple[float, ...], arm: Triple) -> tuple[float, ...]:
    """(6,) the same wrench about another point; ``arm`` leads from that point to the old one, m."""
    fx, fy, fz, tx, ty, tz = force
    ax, ay, az = arm
    return fx, fy, fz, tx + ay * fz - az * fy, ty + az * fx - ax * fz, tz + ax * fy - ay * fx
