"""From trained parts to a policy's folder."""

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from engine.policy import checkpoint, compact, statistics
from engine.policy.course import Course
from engine.policy.experts import StackedExperts
from engine.policy.heads import Heads


def write_policy(
    out: Path,
    course: Course,
    policy: Any,
    experts: StackedExperts,
    heads: Heads,
    kept: statistics.Statistics,
    spreads: dict[str, dict[str, Tensor]],
    size: compact.Size,
    report: dict[str, Any],
) -> None:
    """Write the folder ``out`` so that ``load`` and LeRobot read it back: weights in half precision, the manifest last.

    ``spreads`` are the states' and actions' mean and standard deviation in LeRobot's form; ``report`` goes into the manifest as it is.
    """
    from lerobot.policies.factory import make_pre_post_processors

    out.mkdir(parents=True, exist_ok=True)
    if not (out / checkpoint.VLM / "config.json").exists():
        compact.build_vlm_folder(out / checkpoint.VLM, size)
    policy.load_state_dict(experts.member_state(0), strict=False)
    config = compact.build_config(out / checkpoint.VLM, size, state=course.state_size, action=course.action_size)
    for pipeline in make_pre_post_processors(config, dataset_stats=spreads):
        pipeline.save_pretrained(out)
    path = out / "policy_preprocessor.json"
    path.write_text(path.read_text().replace(json.dumps(str(out / checkpoint.VLM)), json.dumps(checkpoint.VLM)))
    config.vlm_model_name = checkpoint.VLM
    config.save_pretrained(out)
    checkpoint.write_tensors(out / checkpoint.MODEL, policy.state_dict(), half=True)
    for number in range(1, experts.members):
        checkpoint.write_tensors(out / checkpoint.MEMBERS / f"{number}.safetensors", experts.member_state(number), half=True)
    checkpoint.write_tensors(out / checkpoint.HEADS, heads.state_dict(), half=True)
    statistics.save(out, kept)
    manifest = checkpoint.Manifest(
        name=course.name,
        robot=course.robot,
        members=experts.members,
        heads=heads.sights.described(),
        mapping=course.mapping.as_json(),
        instruction=course.tasks[0].instruction,
        training=report,
    )
    checkpoint.write_manifest(out, manifest)
