"""Where the episodes of a run get their pictures and inferences: cameras and ensemble on one device, and the board they are left on."""

from collections.abc import Callable, Sequence
from multiprocessing.context import BaseContext
from typing import TYPE_CHECKING

from adapters.mujoco import veil
from engine import host
from engine.collect.board import Board
from engine.collect.episode import settings_of
from engine.collect.plan import Plan
from engine.policy import courses
from engine.policy.mapping import Offered
from engine.policy.telling import Asked, Measures
from engine.types import PolicyInfo

if TYPE_CHECKING:
    from engine.policy.crowd import Crowd


class Desk:
    """For so many places, ``together`` of which are drawn at once. Raises PolicyError, AdapterError."""

    def __init__(self, plan: Plan, device: str, places: int, together: int, context: BaseContext, progress: Callable[[str], None]) -> None:
        course, settings = courses.course(plan.robot), settings_of(plan, device, None)
        robot, rig = host.open_robot(settings)
        robot.connect()
        seen, pixels = robot.read(1), settings.camera.pixels
        from engine.policy import studio

        self.info: PolicyInfo | None = None  #: of the policy; None where each episode brings its own
        self.measures: Measures | None = None  #: of its answers
        self._crowd: Crowd | None = None
        shapes: dict[str, tuple[tuple[int, ...], str]] = {}
        mapping = course.mapping
        if plan.policy != "scripted":
            progress("importing torch and lerobot")
            from engine.policy import crowd

            offered = Offered(tuple(rig.names), pixels, len(robot.joint_limits))
            self._crowd = crowd.Crowd(course, plan.policy, device, places, offered, progress)
            self.info, self.measures = self._crowd.ensemble.info, self._crowd.ensemble.measures
            mapping = self.measures.mapping
            shapes |= self._crowd.shapes(settings.instruction)
        shapes |= {
            "pose": (course.pose(seen.plant[None]).shape[1:], "float32"),
            "veil": ((len(rig.names), veil.WIDTH), "float32"),
            "state": (mapping.state_of(seen).shape, "float32"),
            "pictures": ((len(rig.names), pixels, pixels, 3), "uint8"),
        }
        self.board = Board(context, places, shapes)
        progress("opening the cameras")
        self._draw = studio.drawer(course, device, together, pixels)

    def answered(self, asked: Sequence[Asked]) -> dict[int, dict[str, float]]:
        """Pictures and what the policy says of them, on the board; what its heads tell, by place."""
        if not asked:
            return {}
        board, places = self.board, [one.place for one in asked]
        pictures = veil.veiled(self._draw(board["pose"][places], None), board["veil"][places])
        board["pictures"][places] = pictures.cpu().numpy()
        if self._crowd is None:
            return {place: {} for place in places}
        return dict(zip(places, self._crowd.answer(asked, pictures, board["state"][places], board), strict=True))
