"""A MuJoCo model written into the stage as an articulation: its bodies with their inertias and meshes, and its joints."""

import math
from typing import Any

import mujoco
import numpy as np
from isaaclab.sim.utils import create_prim
from pxr import Gf, Sdf, Usd, UsdGeom, UsdPhysics, Vt

Z = (0.0, 0.0, 1.0)


def articulation(prim_path: str, model: Any, translation: Any, orientation: Any) -> Usd.Prim:
    """Author the MjModel ``model``, as it is with every joint at 0 rad, at that path. Returns its prim.

    Its meshes are drawn in their colours, and collide where MuJoCo's do; other geoms are left out. Bodies turn about one joint, or none.
    What stands on the ground is to be at the origin, unturned, since Isaac Lab puts it there whatever its weld says.
    """
    data = mujoco.MjData(model)
    data.qpos[:] = 0.0
    mujoco.mj_kinematics(model, data)
    root = create_prim(prim_path, "Xform", translation=translation, orientation=orientation)
    UsdPhysics.ArticulationRootAPI.Apply(root)
    stage = root.GetStage()
    UsdGeom.Scope.Define(stage, f"{prim_path}/joints")
    solid = [body for body in range(1, model.nbody) if model.body_mass[body] > 0.0]
    for body in solid:
        parent = model.body_parentid[body]
        while parent and parent not in solid:
            parent = model.body_parentid[parent]
        _body(stage, prim_path, model, data, body)
        _joint(stage, prim_path, model, data, body, parent)
    return root


def _placed(shape: UsdGeom.Xformable, place: Any, turn: Any = (1.0, 0.0, 0.0, 0.0), size: Any = (1.0, 1.0, 1.0)) -> Usd.Prim:
    """The prim, moved to a place (3,) m, turned by w, x, y, z, of that size. Returns it."""
    shape.AddTranslateOp().Set(Gf.Vec3d(*map(float, place)))
    shape.AddOrientOp().Set(Gf.Quatf(*map(float, turn)))
    shape.AddScaleOp().Set(Gf.Vec3f(*map(float, size)))
    return shape.GetPrim()


def box(stage: Usd.Stage, path: str, size: Any, place: Any, turn: Any = (1.0, 0.0, 0.0, 0.0)) -> UsdGeom.Cube:
    """Edges (3,) m about a place (3,) m, turned by w, x, y, z; it is drawn, and nothing else."""
    cube = UsdGeom.Cube.Define(stage, path)
    cube.CreateSizeAttr(1.0)
    _placed(cube, place, turn, size)
    return cube


def _body(stage: Usd.Stage, root: str, model: Any, data: Any, body: int) -> None:
    """A rigid body with its inertia and its meshes."""
    path = f"{root}/{model.body(body).name}"
    prim = _placed(UsdGeom.Xform.Define(stage, path), data.xpos[body], data.xquat[body])
    UsdPhysics.RigidBodyAPI.Apply(prim)
    mass = UsdPhysics.MassAPI.Apply(prim)
    mass.CreateMassAttr(float(model.body_mass[body]))
    mass.CreateCenterOfMassAttr(Gf.Vec3f(*map(float, model.body_ipos[body])))
    mass.CreateDiagonalInertiaAttr(Gf.Vec3f(*map(float, model.body_inertia[body])))
    mass.CreatePrincipalAxesAttr(Gf.Quatf(*map(float, model.body_iquat[body])))
    prim.CreateAttribute("mjc:gravcomp", Sdf.ValueTypeNames.Float).Set(float(model.body_gravcomp[body]))
    for geom in range(model.body_geomadr[body], model.body_geomadr[body] + model.body_geomnum[body]):
        if model.geom_type[geom] != mujoco.mjtGeom.mjGEOM_MESH:
            continue
        mesh = model.mesh(model.geom_dataid[geom])
        points = model.mesh_vert[mesh.vertadr[0] :][: mesh.vertnum[0]]
        faces = model.mesh_face[mesh.faceadr[0] :][: mesh.facenum[0]]
        shape = UsdGeom.Mesh.Define(stage, f"{path}/{mesh.name}")
        shape.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(points.astype(np.float32)))
        shape.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(faces), 3, np.int32)))
        shape.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(faces.ravel().astype(np.int32)))
        shape.CreateSubdivisionSchemeAttr("none")
        shape.CreateDisplayColorAttr([Gf.Vec3f(*map(float, model.geom_rgba[geom][:3]))])
        solid = _placed(shape, model.geom_pos[geom], model.geom_quat[geom])
        if model.geom_contype[geom] or model.geom_conaffinity[geom]:
            UsdPhysics.CollisionAPI.Apply(solid)


def _joint(stage: Usd.Stage, root: str, model: Any, data: Any, body: int, parent: int) -> None:
    """To the parent, 0 for the ground: a turning joint where the body has one, else a weld."""
    path = f"{root}/joints/"
    place, along = (0.0, 0.0, 0.0), Z
    if model.body_jntnum[body]:
        joint = model.joint(model.body_jntadr[body])
        place, along = joint.pos, joint.axis
        made = UsdPhysics.RevoluteJoint.Define(stage, path + joint.name)
        made.CreateAxisAttr("Z")
        made.CreateLowerLimitAttr(math.degrees(joint.range[0]))
        made.CreateUpperLimitAttr(math.degrees(joint.range[1]))
        UsdPhysics.DriveAPI.Apply(made.GetPrim(), "angular")
        stops = made.GetPrim().CreateAttribute("mjc:solreflimit", Sdf.ValueTypeNames.DoubleArray)
        stops.Set([float(value) for value in model.jnt_solref[joint.id]])
    else:
        made = UsdPhysics.FixedJoint.Define(stage, f"{path}{model.body(body).name}_weld")
    if parent:
        made.CreateBody0Rel().SetTargets([f"{root}/{model.body(parent).name}"])
    made.CreateBody1Rel().SetTargets([f"{root}/{model.body(body).name}"])
    frame = Gf.Matrix4d().SetRotate(Gf.Rotation(Gf.Vec3d(*Z), Gf.Vec3d(*map(float, along))))
    frame.SetTranslateOnly(Gf.Vec3d(*map(float, place)))
    relative = frame * _frame(data, body) * _frame(data, parent).GetInverse()
    made.CreateLocalPos0Attr(Gf.Vec3f(relative.ExtractTranslation()))
    made.CreateLocalRot0Attr(Gf.Quatf(relative.ExtractRotationQuat()))
    made.CreateLocalPos1Attr(Gf.Vec3f(frame.ExtractTranslation()))
    made.CreateLocalRot1Attr(Gf.Quatf(frame.ExtractRotationQuat()))


def _frame(data: Any, body: int) -> Gf.Matrix4d:
    frame = Gf.Matrix4d().SetRotate(Gf.Quatd(*map(float, data.xquat[body])))
    return frame.SetTranslateOnly(Gf.Vec3d(*map(float, data.xpos[body])))
