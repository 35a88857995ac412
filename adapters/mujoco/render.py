"""The one renderer: MuJoCo Warp's ray tracer, on a CPU or a CUDA device, many worlds at a time; nothing here needs OpenGL.

Pictures are drawn from plant vectors, so that the same code makes what the live policy sees and what a policy is trained on.
"""

from typing import Any

import mujoco_warp as mjw
import numpy as np
import warp as wp

from adapters.mujoco.scene import CellStage
from adapters.mujoco.stage import Stage
from engine.types import F32, F64, U8

wp.config.quiet = True


class Renderer:
    """Draws up to ``worlds`` plants of a stage at once, px × px for each camera; the co-sawing cell's where none is given.

    The first draw compiles kernels (seconds, then cached).
    """

    def __init__(self, worlds: int, px: int = 128, device: str = "cpu", shadows: bool = False, stage: Stage | None = None) -> None:
        self.worlds, self.px, self.device = worlds, px, device
        self.stage = stage = stage or CellStage()
        model = stage.model
        names = [model.camera(i).name for i in range(model.ncam)]
        self.order = [sorted(stage.cameras, key=names.index).index(name) for name in stage.cameras]  #: of ``draw_device``'s cameras
        self._rgb = model.geom_rgba[:, :3].astype(np.float32)
        with wp.ScopedDevice(device):
            self._model: Any = mjw.put_model(model)
            self._data: Any = mjw.make_data(model, nworld=worlds)
            self._context: Any = mjw.create_render_context(
                model,
                nworld=worlds,
                cam_res=(px, px),
                render_rgb=True,
                render_depth=False,
                render_seg=False,
                use_textures=False,
                use_shadows=shadows,
                enabled_geom_groups=[2],
                cam_active=[name in stage.cameras for name in names],
                enable_backface_culling=False,
            )
            self._model.geom_rgba = wp.zeros((worlds, model.ngeom), dtype=wp.vec4)
            self._model.geom_size = wp.zeros((worlds, model.ngeom), dtype=wp.vec3)
        g, c, k = model.ngeom, model.ncam, model.nlight
        still = stage.data
        self._host = {
            "geom_xpos": np.zeros((worlds, g, 3), np.float32),
            "geom_xmat": np.zeros((worlds, g, 3, 3), np.float32),
            "cam_xpos": np.zeros((worlds, c, 3), np.float32),
            "cam_xmat": np.zeros((worlds, c, 3, 3), np.float32),
            "light_xpos": np.tile(still.light_xpos.astype(np.float32), (worlds, 1, 1)),
            "light_xdir": np.zeros((worlds, k, 3), np.float32),
        }
        self._cameras = still.cam_xpos.astype(np.float32), still.cam_xmat.reshape(c, 3, 3).astype(np.float32)
        self._sizes = np.tile(model.geom_size.astype(np.float32), (worlds, 1, 1))
        self._colours = np.ones((worlds, g, 4), np.float32)
        self._graph: Any = None

    def draw(self, plants: F64, look: F32 | None = None) -> U8:
        """uint8 RGB (N, C, px, px, 3) of plants (N, P), N <= worlds; looks (N, L), nominal where None."""
        packed = self.draw_device(plants, look).numpy()[: len(plants)]
        bytes_ = packed.view(np.uint8).reshape(len(plants), len(self.order), self.px, self.px, 4)
        return np.ascontiguousarray(bytes_[:, self.order, :, :, 2::-1])

    def draw_device(self, plants: F64, look: F32 | None = None) -> Any:
        """The same on the device: warp array (worlds, C * px * px) of uint32 0xAARRGGBB, cameras in the model's order.

        The array is the renderer's own: complete when this returns, overwritten by the next draw.
        """
        return self.draw_posed(self.stage.posed(plants), look)

    def draw_posed(self, rows: F32, look: F32 | None = None) -> Any:
        """The same of rows (N, G) that a stage like this one has ``posed``."""
        if len(rows) > self.worlds:
            raise ValueError(f"{len(rows)} plants for a renderer of {self.worlds} worlds; draw them in parts")
        self._fill(rows, look)
        with wp.ScopedDevice(self.device):
            for name, values in self._host.items():
                getattr(self._data, name).assign(values)
            self._model.geom_size.assign(self._sizes)
            self._model.geom_rgba.assign(self._colours)
            self._trace()
            wp.synchronize_device()
        return self._context.rgb_data

    def _trace(self) -> None:
        """Trace the rays; recorded once and replayed, since setting the kernels up costs as much as a third of a picture."""
        if self._graph is None:
            self._launch()
            with wp.ScopedCapture(device=self.device) as capture:
                self._launch()
            self._graph = capture.graph
        wp.capture_launch(self._graph)

    def _launch(self) -> None:
        mjw.refit_bvh(self._model, self._data, self._context)
        mjw.render(self._model, self._data, self._context)

    def _fill(self, rows: F32, look: F32 | None) -> None:
        """Copy what the tracer reads."""
        n, host, stage, looks = len(rows), self._host, self.stage, self.stage.looks
        given = np.tile(looks.nominal(), (n, 1)) if look is None else np.asarray(look, np.float32)
        host["geom_xpos"][:n], host["geom_xmat"][:n], self._sizes[:n, stage.sized] = stage.unposed(rows)
        host["cam_xpos"][:n], host["cam_xmat"][:n] = self._cameras
        self._colours[:n, :, :3] = self._rgb * looks.tints(given)[:, stage.paints]
        host["light_xdir"][:n] = looks.lights(given)
        shift, turn = looks.jitter(given)
        if shift.any() or turn.any():
            axes = host["cam_xmat"][:n]
            host["cam_xpos"][:n] += np.einsum("ncij,ncj->nci", axes, shift)
            host["cam_xmat"][:n] = axes @ _turned(turn)


def _turned(turn: F32) -> F32:
    """(..., 3, 3) rotation matrices of rotation vectors (..., 3), Rodrigues' formula."""
    angle = np.linalg.norm(turn, axis=-1)[..., None, None] + 1e-12
    a, b, c = (turn / angle[..., 0])[..., 0], (turn / angle[..., 0])[..., 1], (turn / angle[..., 0])[..., 2]
    zero = np.zeros_like(a)
    cross = np.stack([np.stack([zero, -c, b], -1), np.stack([c, zero, -a], -1), np.stack([-b, a, zero], -1)], -2)
    matrix: F32 = np.eye(3, dtype=np.float32) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)
    return matrix
