"""The one renderer: MuJoCo Warp's ray tracer, on a CPU or a CUDA device, many worlds at a time; nothing here needs OpenGL.

Pictures are drawn from plant vectors, so that the same code makes what the live policy sees and what a policy is trained on.
"""

from typing import Any

import mujoco_warp as mjw
import numpy as np
import warp as wp

from adapters.mujoco import layout, looks
from adapters.mujoco.plant import unpack
from adapters.mujoco.scene import Scene
from engine.types import F32, F64, U8

wp.config.quiet = True


class Renderer:
    """Draws up to ``worlds`` plants at once, px × px for each camera. The first draw compiles kernels (seconds, then cached)."""

    def __init__(self, worlds: int, px: int = 128, device: str = "cpu", shadows: bool = False) -> None:
        self.worlds, self.px, self.device = worlds, px, device
        self._scene = Scene()
        model = self._scene.model
        names = [model.camera(i).name for i in range(model.ncam)]
        self.order = [sorted(layout.CAMERAS, key=names.index).index(name) for name in layout.CAMERAS]  #: of ``draw_device``'s cameras
        self._paint = [looks.PAINTS.index(model.geom(i).name.split(":")[0]) for i in range(model.ngeom)]
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
                cam_active=[name in layout.CAMERAS for name in names],
                enable_backface_culling=False,
            )
            self._model.geom_rgba = wp.zeros((worlds, model.ngeom), dtype=wp.vec4)
            self._model.geom_size = wp.zeros((worlds, model.ngeom), dtype=wp.vec3)
        g, c, k = model.ngeom, model.ncam, model.nlight
        self._host = {
            "geom_xpos": np.zeros((worlds, g, 3), np.float32),
            "geom_xmat": np.zeros((worlds, g, 3, 3), np.float32),
            "cam_xpos": np.zeros((worlds, c, 3), np.float32),
            "cam_xmat": np.zeros((worlds, c, 3, 3), np.float32),
            "light_xpos": np.zeros((worlds, k, 3), np.float32),
            "light_xdir": np.zeros((worlds, k, 3), np.float32),
        }
        self._sizes = np.zeros((worlds, g, 3), np.float32)
        self._colours = np.ones((worlds, g, 4), np.float32)
        self._graph: Any = None

    def draw(self, plants: F64, look: F32 | None = None) -> U8:
        """uint8 RGB (N, C, px, px, 3) of plants (N, P), N <= worlds; looks (N, L), nominal where None."""
        packed = self.draw_device(plants, look).numpy()[: len(plants)]
        bytes_ = packed.view(np.uint8).reshape(len(plants), len(layout.CAMERAS), self.px, self.px, 4)
        return np.ascontiguousarray(bytes_[:, self.order, :, :, 2::-1])

    def draw_device(self, plants: F64, look: F32 | None = None) -> Any:
        """The same on the device: warp array (worlds, C * px * px) of uint32 0xAARRGGBB, cameras in the model's order.

        The array is the renderer's own: complete when this returns, overwritten by the next draw.
        """
        if len(plants) > self.worlds:
            raise ValueError(f"{len(plants)} plants for a renderer of {self.worlds} worlds; draw them in parts")
        self._fill(plants, look)
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

    def _fill(self, plants: F64, look: F32 | None) -> None:
        """Pose every world's scene and copy what the tracer reads."""
        n = len(plants)
        scene, data, host = self._scene, self._scene.data, self._host
        given = np.tile(looks.nominal(), (n, 1)) if look is None else np.asarray(look, np.float32)
        for i in range(n):
            plant = unpack(plants[i])
            scene.pose(plant)
            host["geom_xpos"][i] = data.geom_xpos
            host["geom_xmat"][i] = data.geom_xmat.reshape(-1, 3, 3)
            host["cam_xpos"][i] = data.cam_xpos
            host["cam_xmat"][i] = data.cam_xmat.reshape(-1, 3, 3)
            host["light_xpos"][i] = data.light_xpos
            self._sizes[i] = scene.sizes(plant)
        self._colours[:n, :, :3] = self._rgb * looks.tints(given)[:, self._paint]
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
