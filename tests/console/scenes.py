"""Snapshots as a real run gives them, for the console's tests and pictures: loading, disarmed, running, slowed, stopped, placeholder."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from console.view import History, View
from engine.messages import Picture
from engine.safety.reasons import sentence
from engine.types import (
    FAILURES,
    LAYERS,
    NAN18,
    NO_ENERGY,
    NO_SAW,
    PARTS,
    SIGNALS,
    Action,
    Command,
    Decision,
    Energy,
    Event,
    InferenceBrief,
    Inputs,
    Intervention,
    LoopStats,
    Mode,
    ModelState,
    OperatorState,
    PolicyInfo,
    Reason,
    RecorderState,
    RunInfo,
    SawState,
    Snapshot,
    Spring,
    StopKind,
    Zone,
)

STROKE = 130  #: ticks
WALL = 1_764_000_151.42  #: s since the epoch, shown in UTC
INF = math.inf
NAN = math.nan
CONFIGURED = (0, 1, 2, 3, 4, 5, 8)
FREE_HAND = PARTS.index("free hand")
THRESHOLDS = (0.35, 0.40, 0.45, 0.50)  #: of the four alarms
QUIET = ((0.004, 0.007, 0.011, 0.014), (0.002, 0.006, 0.009, 0.012), (0.008, 0.014, 0.02, 0.024), (0.002, 0.004, 0.008, 0.011))
DROP = (QUIET[0], (0.21, 0.52, 0.62, 0.71), QUIET[2], (0.04, 0.06, 0.08, 0.10))
NO_CAUSE: Mapping[str, float] = {}


def policy(*, placeholder: bool = False) -> PolicyInfo:
    return PolicyInfo(
        name="scripted" if placeholder else "compact",
        action_space="cartesian_delta",
        members=1 if placeholder else 5,
        parameters_m=0.0 if placeholder else 5.5,
        device="cpu",
        hash="3f9c",
        placeholder=placeholder,
        path="shared prefix",
    )


def _inputs(tick: int, phase: float, going: bool) -> Inputs:
    t_ns = 10_000_000_000 + tick * 10_000_000
    speed = 0.2 * math.cos(phase) if going else 0.0
    return Inputs(
        tick=tick,
        t_ns=t_ns,
        obs_t_ns=t_ns - 2_000_000,
        obs_seq=tick,
        q=(0.02, 0.41, -0.03, -2.05, 0.01, 2.46, 0.79),
        dq=(0.01, 0.12, 0.0, 0.2, 0.0, 0.1, 0.0),
        tau=(0.2, -21.4, 0.6, 18.2, 0.8, 2.1, 0.0),
        pose=(0.45 + 0.09 * math.sin(phase) * going, 0.102, 0.561, 1.0, 0.0, 0.0, 0.0),
        twist=(speed, 0.002, -0.001, 0.0, 0.0, 0.0),
        wrench=(16.2 * math.cos(phase) * going, 1.4, 9.8 * going, 0.0, 0.1, 0.0),
        manipulability=0.094,
        frame_seq=tick // 12,
        frame_t_ns=t_ns - 61_000_000,
        frame_fault=Reason.OK,
        model_state=ModelState.READY,
        inference_id=tick // 12,
        inference_exposed_ns=t_ns - 143_000_000,
        inference_finite=True,
        members=5,
        signal_ratio=tuple(0.3 + 0.04 * i for i in range(18)),
        signal_valid=(True,) * 18,
        action_magnitude=0.62,
        ensemble_spread=0.31,
        arm_request=1,
        disarm_request=0,
        go_request=1,
        pause_request=0,
        clear_request=0,
        clear_number=0,
        jogging=False,
        console_t_ns=t_ns - 40_000_000,
        console_required=True,
        stop_page=(0,) * 8,
        stop_latch=(0,) * 8,
        watchdog=Reason.OK,
        recorder_fault=Reason.OK,
        engine_fault=False,
        links=(0.0, 0.0, 0.33, 0.12, 0.0, 0.62, 0.35, 0.05, 0.6, 0.44, 0.1, 0.6),
        grip=(14.2 * math.cos(phase) * going, 2.1, 6.4),
        holds=True,
        person_seq=tick // 2,
        person_t_ns=t_ns - 12_000_000,
        person_exposed_ns=(t_ns - 62_000_000,) * 6,
    )


def _decision(score: float, binding: int, reason: Reason, margin: float, *, armed: bool, going: bool) -> Decision:
    others = {0: 1.0, 1: 1.0, 2: 0.92, 3: 0.94, 4: 0.98, 5: 0.97, 8: 1.0}
    left = {0: 0.96, 1: 0.048, 2: 0.21, 3: 0.17, 4: 112.0, 5: 0.62}
    scores, scales, forces, reasons, margins, ages = [], [], [], [], [], []
    for i in range(len(LAYERS)):
        mine = i == binding
        configured = i in CONFIGURED
        scores.append(score if mine else others.get(i, 1.0))
        scales.append(0.64 if mine and score < 0.8 else 0.5 if not configured else 0.84 if i == 3 else 1.0)
        forces.append(140.0 if i == 4 else INF)
        reasons.append(reason if mine else Reason.OK if configured else Reason.NOT_CONFIGURED)
        margins.append(margin if mine else left.get(i, NAN) if configured else 0.25)
        ages.append({0: 0.04, 1: 0.061, 2: 0.002, 3: 0.062, 4: 0.002, 5: 0.143}.get(i, NAN))
    xy = min(max(0.7 * score + 0.2, 0.2), 0.9)
    z = min(max(0.6 * score + 0.3, 0.3), 0.9)
    force = min(max(0.5 * score + 0.4, 0.4), 0.9)
    k_xy, k_z = 200 + 600 * (xy - 0.2) / 0.7, 200 + 400 * (z - 0.3) / 0.6
    return Decision(
        score=score,
        score_raw=score,
        score_published=0.75,
        action=Action.CONTINUE if score >= 0.75 else Action.SLOW if score >= 0.5 else Action.STOP,
        binding=binding,
        layer_score=tuple(scores),
        layer_scale=tuple(scales),
        layer_force=tuple(forces),
        layer_reason=tuple(reasons),
        layer_margin=tuple(margins),
        layer_age=tuple(ages),
        impedance_xy=xy,
        impedance_z=z,
        force=force,
        stiffness=(k_xy, k_xy, k_z, 30.0, 30.0, 30.0),
        force_limit=60.0 * force / 0.9,
        torque_limit=8.0,
        speed_scale=0.5 if score >= 0.8 else 0.32,
        speed_limit=0.25 if score >= 0.8 else 0.16,
        armed=armed,
        going=going,
        ramp=1.0 if armed else 0.0,
        stop_category=-1,
        stop_kind=StopKind.NONE,
        stop_number=0,
        stop_count=2,
        stop_reason=Reason.OK,
        stop_layer=0,
        separation=0.61,
        separation_needed=0.44,
        separation_part=FREE_HAND,
        reaction=0.12,
    )


def _command(decision: Decision, tick: int) -> Command:
    k = decision.stiffness
    return Command(
        command_tick=tick,
        pose_d=(0.46, 0.102, 0.559, 1.0, 0.0, 0.0, 0.0),
        twist_d=(0.0,) * 6,
        stiffness_d=(min(500.0, k[0]), k[1], k[2], *k[3:]),
        force_max=decision.force_limit,
        torque_max=8.0,
        hold=not decision.going,
        brakes=False,
        hand_force=0.0,
        hand_press=0.0,
        line_y_d=0.1,
        log_top_d=0.56,
        task_power=15.0 if decision.going else 0.0,
    )


def _energy(tick: int, share: float) -> Energy:
    """An account that closes to 0.3 % a stroke of 1.3 s, with the tank going up and down by what is left over."""
    strokes = tick / STROKE
    partner, grant, wood, damping = 5.2 * strokes, 14.1 * strokes, 9.6 * strokes, 9.64 * strokes
    tank = 6.8 + 0.6 * math.sin(2.0 * math.pi * strokes) * share
    return Energy(
        tank=tank if share > 0.0 else 0.5,
        share=share,
        partner=partner,
        grant=grant,
        wood=wood,
        damping=damping,
        stored=2.9,
        paid=16.0 * strokes,
        refill=6.4 * strokes,
    )


def _saw(tick: int, phase: float, going: bool) -> SawState:
    return SawState(
        kerf_depth=0.0342 if going else 0.0,
        cut_line_y=0.10,
        log_top_z=0.56,
        blade_y=0.102,
        blade_height=-0.001 if going else 0.12,
        zone=Zone.SOFT if going else Zone.AIR,
        in_kerf=going,
        stuck=False,
        press_force=12.3 if going else 0.0,
        cut_force=22.1 if going else 0.0,
        partner_force=18.4 * math.cos(phase) if going else 0.0,
        partner_press=0.0,
        partner_holding=True,
        phase_error=0.08,
        stroke_count=tick // STROKE if going else 0,
        stroke_depth=0.0016 if going else 0.0,
        robot_work=5.1 if going else 0.0,
        partner_work=6.0 if going else 0.0,
        handle_gap=0.212,
        free_hand_distance=0.61,
    )


def _inference(tick: int, doubt: float) -> InferenceBrief:
    number = tick // 12
    wave = [0.5 + 0.35 * math.sin(0.5 * number + 0.9 * i) for i in range(18)]
    quantile = [min(0.999, wave[i] if i else doubt) for i in range(18)]
    return InferenceBrief(
        id=number,
        age=0.143,
        latency_ms=82.0,
        rate_hz=8.3,
        signals=tuple((0.031 + 0.02 * i) * (0.6 + wave[i]) for i in range(18)),
        valid=tuple(i != 13 for i in range(18)),
        quantile=tuple(quantile[i] if i != 13 else NAN for i in range(18)),
        signal_age=tuple({13: 4.103, 14: 0.391, 15: 0.391}.get(i, 0.143) for i in range(18)),
        heads={"free hand to blade, m": 0.58, "stuck": 0.02, "zone: knot": 0.11},
        stage_ms={"render": 12.0, "prepare": 3.0, "model": 64.0, "signals": 3.0},
    )


def _events(tick: int) -> tuple[Event, ...]:
    said = (
        ("system", "engine started: cosaw, seed 0", 62.0),
        ("system", "model ready: compact, 5 members, shared prefix", 55.2),
        ("stop", "STOP 1 category 2 protective: camera picture 612 ms old, limit 500 ms", 41.7),
        ("arm", "ARMED", 31.0),
        ("go", "GO", 29.2),
        ("score", "SLOW 0.71: uncertainty 1.08 × nominal, stops at 2.00", 12.4),
        ("score", "CONTINUE 0.83", 9.8),
    )
    return tuple(
        Event(seq=i, tick=tick - round(ago * 100), t_ns=0, wall=WALL - ago, kind=kind, text=text)
        for i, (kind, text, ago) in enumerate(said)
    )


def scene(
    *,
    tick: int = 6200,
    score: float = 0.86,
    binding: int = 5,
    reason: Reason = Reason.OK,
    margin: float = NAN,
    armed: bool = True,
    going: bool = True,
    doubt: float = 0.62,
    placeholder: bool = False,
) -> Snapshot:
    """A run at one tick; the keyword arguments change what a test looks at."""
    phase = 2.0 * math.pi * tick / STROKE
    decision = _decision(score, binding, reason, margin, armed=armed, going=going)
    return Snapshot(
        wall=WALL,
        inputs=_inputs(tick, phase, going),
        decision=decision,
        command=_command(decision, tick),
        saw=_saw(tick, phase, going),
        spring=Spring(
            pose_d=(0.46, 0.102, 0.53, 1.0, 0.0, 0.0, 0.0),
            stiffness=(500.0, decision.stiffness[1], *decision.stiffness[2:]),
            damping=(92.0, 104.0, 88.0, 4.1, 4.6, 3.9),
            force_max=decision.force_limit,
            torque_max=decision.torque_limit,
        ),
        energy=_energy(tick, 1.0),
        operator=OperatorState(
            mode=Mode.CUT,
            key_mode="REPEAT",
            grant_left=0.138 if going else 0.0,
            grant_axis="pull" if going else "",
            hand_force_set=20.0,
            hand_force=20.0 if going else 0.0,
            hand_press=0.0,
            cut_line_y=0.10,
            log_top_z=0.56,
            jog_step=0.005,
            jog_speed=0.05,
            recovering="",
            refused="",
        ),
        inference=_inference(tick, doubt),
        recorder=RecorderState(
            on=True,
            session="/home/operator/.local/share/sawhorse/sessions/20251124T160231-0c41",
            seconds=192.0,
            megabytes=12.4,
            queued=1,
            committed_ticks=tick - 120,
            fault="",
        ),
        run=RunInfo(
            run="0c41",
            robot="cosaw",
            task="saw",
            instruction="Saw through the log at the line with your partner.",
            policy=policy(placeholder=placeholder),
            model_state=ModelState.READY,
            model_note="",
            simulated=True,
            controller="console-1",
        ),
        loop=LoopStats(tick_hz=100.0, late_p99_ms=0.9, late_max_ms=4.1, real_time_factor=1.0, camera_fps=8.3, overruns=0),
        events=_events(tick),
        frame_age=0.061,
    )


def running() -> Snapshot:
    return scene()


def slowed() -> Snapshot:
    return scene(score=0.62, reason=Reason.UNCERTAIN, margin=0.62, doubt=0.97)


def standing(snapshot: Snapshot, *, score: float = 1.0) -> Snapshot:
    """The layer that binds lets nothing move; its own score is ``score``."""
    decision = snapshot.decision
    scores, scales = list(decision.layer_score), list(decision.layer_scale)
    scores[decision.binding], scales[decision.binding] = score, 0.0
    least = min(scores)
    changed = msgspec.structs.replace(
        decision, layer_score=tuple(scores), layer_scale=tuple(scales), score=least, score_raw=least, speed_scale=0.0, speed_limit=0.0
    )
    return msgspec.structs.replace(snapshot, decision=changed)


def said(snapshot: Snapshot, kind: str, text: str) -> Snapshot:
    """The same, half a second after something was logged."""
    event = Event(seq=9, tick=snapshot.inputs.tick - 50, t_ns=0, wall=WALL - 0.5, kind=kind, text=text)
    return msgspec.structs.replace(snapshot, events=(*snapshot.events, event))


def disarmed() -> Snapshot:
    """At rest with nothing in the way of arming."""
    return said(standing(scene(armed=False, going=False, score=0.92, binding=8, reason=Reason.NOT_ARMED)), "disarm", "DISARMED")


def armed() -> Snapshot:
    """Armed and told to do nothing yet."""
    return said(standing(scene(going=False, score=0.92, binding=8, reason=Reason.NOT_GOING)), "arm", "ARMED")


def faulted() -> Snapshot:
    """The engine met a fault of its own: latched, on its brakes, and no longer recording."""
    snapshot = stopped()
    decision = msgspec.structs.replace(
        snapshot.decision,
        stop_reason=Reason.ENGINE_FAULT,
        layer_reason=(Reason.ENGINE_FAULT, *snapshot.decision.layer_reason[1:]),
        layer_score=(0.1, *snapshot.decision.layer_score[1:]),
        score=0.1,
    )
    told = (
        *snapshot.events[:-1],
        msgspec.structs.replace(snapshot.events[-1], kind="fault", text="the recorder thread failed: No space left on device"),
        msgspec.structs.replace(snapshot.events[-1], text=f"STOP 12 category 1 latched: {sentence(Reason.ENGINE_FAULT)}"),
    )
    recorder = msgspec.structs.replace(snapshot.recorder, fault="the disk is full")
    return msgspec.structs.replace(snapshot, decision=decision, events=told, recorder=recorder)


def stopped(*, latched: bool = True) -> Snapshot:
    snapshot = scene(armed=False, going=False, score=0.92, binding=0, reason=Reason.STOP_POWER_OFF if latched else Reason.STOP_KEY)
    snapshot = standing(snapshot)
    decision = msgspec.structs.replace(
        snapshot.decision,
        stop_category=1 if latched else 2,
        stop_kind=StopKind.LATCHED if latched else StopKind.PROTECTIVE,
        stop_number=12,
        stop_count=12,
        stop_reason=Reason.STOP_POWER_OFF if latched else Reason.STOP_KEY,
        stop_layer=0,
    )
    spring = msgspec.structs.replace(snapshot.spring, stiffness=(200.0, *snapshot.spring.stiffness[1:]), force_max=30.0)
    command = msgspec.structs.replace(snapshot.command, brakes=latched)
    kind = "category 1 latched: stop key, power off" if latched else "category 2 protective: stop key"
    changed = msgspec.structs.replace(snapshot, decision=decision, spring=spring, command=command)
    return said(changed, "stop", f"STOP 12 {kind}")


def separated() -> Snapshot:
    """A stop by the free hand that came too near; the hand is still there."""
    snapshot = scene(tick=6200, armed=False, going=False, score=0.1, binding=3, reason=Reason.SEPARATION, margin=-0.08)
    snapshot = standing(snapshot, score=0.1)
    decision = msgspec.structs.replace(
        snapshot.decision,
        stop_category=1,
        stop_kind=StopKind.PROTECTIVE,
        stop_number=13,
        stop_count=13,
        stop_reason=Reason.SEPARATION,
        stop_layer=LAYERS.index("separation"),
        stop_margin=-0.04,
        stop_age=0.064,
        separation=0.31,
        separation_needed=0.39,
    )
    command = msgspec.structs.replace(snapshot.command, brakes=True)
    why = sentence(Reason.SEPARATION, -0.04, 0.064, 3, FREE_HAND, 0.35)
    return said(msgspec.structs.replace(snapshot, decision=decision, command=command), "stop", f"STOP 13 category 1 protective: {why}")


def stuck(*, recovering: str = "") -> Snapshot:
    """The blade binds in a knot while the robot goes; the tank runs low."""
    snapshot = scene(score=0.71, binding=4, reason=Reason.GRIP_FORCE, margin=24.0)
    saw = msgspec.structs.replace(snapshot.saw, stuck=True, zone=Zone.KNOT, press_force=31.4, cut_force=52.6)
    operator = msgspec.structs.replace(snapshot.operator, recovering=recovering)
    energy = msgspec.structs.replace(snapshot.energy, tank=1.4, share=0.42)
    return msgspec.structs.replace(snapshot, saw=saw, operator=operator, energy=energy)


def unsensed() -> Snapshot:
    """A robot without a sensor that follows the person."""
    snapshot = scene()
    reasons = list(snapshot.decision.layer_reason)
    reasons[LAYERS.index("separation")] = Reason.NOT_SENSED
    decision = msgspec.structs.replace(
        snapshot.decision, layer_reason=tuple(reasons), separation=NAN, separation_needed=NAN, separation_part=-1, reaction=NAN
    )
    return msgspec.structs.replace(snapshot, decision=decision, inputs=msgspec.structs.replace(snapshot.inputs, grip=(NAN,) * 3))


def table() -> Snapshot:
    """An arm at a table that holds a cube: no saw, nobody near it, seven joints and a gripper."""
    snapshot = unsensed()
    told = "Pick up the red cube and place it in the blue zone."
    assert snapshot.inference is not None
    return msgspec.structs.replace(
        snapshot,
        saw=NO_SAW,
        inference=msgspec.structs.replace(snapshot.inference, heads={"cube_dx": 0.002, "holding": 0.97}),
        inputs=msgspec.structs.replace(snapshot.inputs, gripper=0.51, holds=False, pose=(0.53, -0.12, 0.11, 1.0, 0.0, 0.0, 0.0)),
        command=msgspec.structs.replace(snapshot.command, gripper_d=1.0),
        operator=msgspec.structs.replace(snapshot.operator, grant_axis="", grant_left=0.0, hand_force=0.0),
        run=msgspec.structs.replace(snapshot.run, robot="pickplace", task="pickplace", instruction=told),
    )


def servos() -> Snapshot:
    """The same with five joints, whose servos follow positions."""
    snapshot = table()
    five = {name: getattr(snapshot.inputs, name)[:5] for name in ("q", "dq", "tau")}
    return msgspec.structs.replace(
        snapshot,
        inputs=msgspec.structs.replace(snapshot.inputs, **five),
        energy=NO_ENERGY,
        run=msgspec.structs.replace(snapshot.run, robot="so101-sim", task="lift", instruction="Lift the red cube."),
    )


BADGES = ("EMULATED", "DRY RUN", "TEST PICTURE", "FALLBACK")


def arm(*, badges: tuple[str, ...] = BADGES[:1], volts: Sequence[float] = (7.4,) * 6, celsius: Sequence[float] = (34.0,) * 6) -> Snapshot:
    """The real arm with its servos, which goes while G is held."""
    snapshot = servos()
    here = (0.161, -0.42, 0.655, 1.518, -1.553)
    assert snapshot.inference is not None
    return msgspec.structs.replace(
        snapshot,
        inputs=msgspec.structs.replace(snapshot.inputs, q=here, tau=(0.02, 0.74, 0.31, -0.08, 0.0)),
        spring=msgspec.structs.replace(
            snapshot.spring, target=tuple(q + 0.03 for q in here), volts=tuple(volts), celsius=tuple(celsius), supply=7.4
        ),
        inference=msgspec.structs.replace(snapshot.inference, due=4.6, horizon=16),
        operator=msgspec.structs.replace(snapshot.operator, grant_axis="run", grant_left=0.31),
        run=msgspec.structs.replace(snapshot.run, robot="so101", simulated=False, badges=badges),
        events=(msgspec.structs.replace(snapshot.events[0], text="engine started: so101, seed 0"), *snapshot.events[1:]),
    )


def arm_warm() -> Snapshot:
    """One servo is too warm, another's voltage sags, and everything about the run is apart from the real thing."""
    snapshot = arm(badges=BADGES, volts=(7.3, 7.2, 6.4, 7.2, 7.3, 7.3), celsius=(36.0, 63.0, 41.0, 38.0, 33.0, 31.0))
    return msgspec.structs.replace(snapshot, run=msgspec.structs.replace(snapshot.run, policy=policy(placeholder=True)))


def forecast(
    snapshot: Snapshot,
    *,
    risks: Sequence[Sequence[float]] = QUIET,
    state: int = 1,
    foreseen: int = -1,
    intervention: Intervention = Intervention.NONE,
    because: Mapping[str, float] = NO_CAUSE,
) -> Snapshot:
    """The same with a forecast: ``risks`` by FAILURES and HORIZONS, of which the last, over THRESHOLDS, is the alarm."""
    alarms = tuple(row[-1] / threshold for row, threshold in zip(risks, THRESHOLDS, strict=True))
    assert snapshot.inference is not None
    inference = msgspec.structs.replace(
        snapshot.inference,
        forecast=tuple(risk for row in risks for risk in row),
        forecast_alarm=alarms,
        forecast_because=tuple(because.get(name, 0.001) for name in SIGNALS),
    )
    acts = intervention != Intervention.NONE
    layer = LAYERS.index("forecast")
    reason = Reason.FORECAST_UNPROVEN if state == 2 else Reason.FORECAST if acts else Reason.OK
    if intervention == Intervention.ASK:
        reason = Reason.ASKING
    decision = snapshot.decision

    def told(values: Sequence[Any], value: Any) -> tuple[Any, ...]:
        return (*values[:layer], value, *values[layer + 1 :])

    decision = msgspec.structs.replace(
        decision,
        foreseen=foreseen,
        intervention=intervention,
        layer_reason=told(decision.layer_reason, reason),
        layer_score=told(decision.layer_score, 0.6 if acts else 1.0),
        layer_scale=told(decision.layer_scale, 0.0 if intervention == Intervention.ASK else 0.5),
        layer_margin=told(decision.layer_margin, 0.25 if state == 2 else 1.0 - max(alarms)),
        layer_age=told(decision.layer_age, 0.143),
        **({"binding": layer, "score": 0.6, "score_raw": 0.6, "action": Action.SLOW} if acts else {}),
    )
    i = snapshot.inputs
    inputs = msgspec.structs.replace(i, forecast_state=state, forecast_ns=i.inference_exposed_ns, forecast_alarm=alarms)
    policy_told = msgspec.structs.replace(snapshot.run.policy or policy(), forecast=state)
    run = msgspec.structs.replace(snapshot.run, policy=policy_told)
    return msgspec.structs.replace(snapshot, decision=decision, inference=inference, inputs=inputs, run=run)


def outlook_quiet() -> Snapshot:
    """A forecast in force that sees nothing coming."""
    return forecast(table())


def outlook_acting() -> Snapshot:
    """The cube slides in its fingers: a drop is foreseen, and it goes slowly."""
    snapshot = forecast(
        table(),
        risks=DROP,
        foreseen=FAILURES.index("drop"),
        intervention=Intervention.SLOW,
        because={"overlap": 0.22, "execution mismatch": 0.09, "epistemic": 0.04, "jerk": 0.02},
    )
    return said(snapshot, "forecast", "SLOW: a drop is likely within 1.6 s")


def outlook_asking() -> Snapshot:
    """No progress: it stands and asks."""
    snapshot = forecast(
        table(),
        risks=(QUIET[0], QUIET[1], (0.07, 0.11, 0.14, 0.18), (0.24, 0.38, 0.55, 0.68)),
        foreseen=FAILURES.index("timeout"),
        intervention=Intervention.ASK,
        because={"distance from training": 0.17, "latent drift": 0.12, "aleatoric": 0.05},
    )
    decision = msgspec.structs.replace(snapshot.decision, going=False, asking=True, speed_scale=0.0, speed_limit=0.0)
    inputs = msgspec.structs.replace(snapshot.inputs, twist=(0.0,) * 6)
    return said(msgspec.structs.replace(snapshot, decision=decision, inputs=inputs), "forecast", "ASK: a timeout is likely within 1.6 s")


def outlook_unproven() -> Snapshot:
    """The same drop, foreseen by a forecast that is not proven for the task: nothing is done."""
    return forecast(table(), risks=DROP, state=2, because={"overlap": 0.22, "execution mismatch": 0.09, "epistemic": 0.04})


def jogged(snapshot: Snapshot, mode: Mode) -> Snapshot:
    """Armed and at rest in a jog mode."""
    decision = msgspec.structs.replace(snapshot.decision, armed=True, going=False)
    return msgspec.structs.replace(snapshot, decision=decision, operator=msgspec.structs.replace(snapshot.operator, mode=mode))


def motion(**changed: Any) -> Snapshot:
    """An armed arm of five joints with three motions, one of them chosen."""
    snapshot = jogged(servos(), Mode.MOTION)
    waiting = standing(scene(going=False, binding=8, reason=Reason.LET_GO)).decision
    chosen = {"motion": "home", "motion_number": 2, "motion_count": 3, "motion_steps": 1} | changed
    return msgspec.structs.replace(snapshot, decision=waiting, operator=msgspec.structs.replace(snapshot.operator, **chosen))


def clearance() -> Snapshot:
    """One that asks for something to be confirmed, let go half-way."""
    asked = "Nobody is within 2 m in front of the arm, and nothing that breaks."
    return motion(motion="throw", motion_number=3, motion_step=2, motion_steps=4, motion_share=0.42, jog_speed=0.1, clearance=asked)


def loading() -> Snapshot:
    snapshot = standing(scene(armed=False, going=False, score=0.1, binding=1, reason=Reason.MODEL_LOADING), score=0.1)
    run = msgspec.structs.replace(
        snapshot.run, policy=None, model_state=ModelState.LOADING, model_note="importing torch and lerobot: 3 of 12 s"
    )
    inputs = msgspec.structs.replace(snapshot.inputs, model_state=ModelState.LOADING, inference_id=0, members=0, signal_ratio=NAN18)
    return msgspec.structs.replace(snapshot, run=run, inputs=inputs, inference=None, frame_age=NAN, events=snapshot.events[:1])


def placeholder() -> Snapshot:
    return scene(placeholder=True)


def seen(snapshot: Snapshot | None, **changes: Any) -> View:
    """What a screen that has just begun shows of it; ``changes`` as View's fields."""
    return View(snapshot=snapshot, wall=WALL, **{"history": History(), **changes})


def past(snapshot: Snapshot) -> History:
    """The minute before a snapshot."""
    history = History()
    for earlier in range(snapshot.inputs.tick - 6000, snapshot.inputs.tick, 12):
        at = scene(tick=earlier, score=0.78 + 0.12 * math.sin(earlier / 700), doubt=0.5 + 0.3 * math.sin(earlier / 400))
        history.observe(
            forecast(at, risks=_risen(snapshot, earlier))
            if snapshot.inputs.forecast_state and earlier > snapshot.inputs.tick - 1300
            else at
        )
    history.observe(snapshot)
    return history


def _risen(snapshot: Snapshot, earlier: int) -> Sequence[Sequence[float]]:
    """The snapshot's risks as they rose over the four seconds before it."""
    assert snapshot.inference is not None
    share = max(0.05, 1.0 - (snapshot.inputs.tick - earlier) / 400.0)
    return [[share * risk for risk in snapshot.inference.forecast[i : i + 4]] for i in range(0, 16, 4)]


def picture(side: int, camera: str = "front") -> Picture:
    """A drawn cell: sky, a log, a saw; no camera was here."""
    rgb = bytearray()
    for y in range(side):
        for x in range(side):
            u, v = x / side, y / side
            if 0.45 < v < 0.52 and 0.1 < u < 0.9:
                colour = (200, 205, 210)
            elif 0.5 < v < 0.75 and 0.3 < u < 0.7:
                colour = (150 - int(60 * abs(u - 0.5)), 104, 60)
            elif v > 0.75:
                colour = (70, 74, 82)
            else:
                colour = (96 + int(60 * v), 120 + int(40 * v), 150)
            rgb += bytes(colour)
    return Picture(camera=camera, width=side, height=side, age=0.061, rgb=bytes(rgb))


def sequence(count: int) -> Sequence[Snapshot]:
    """Consecutive telemetry frames of a run, ten a second: what changes on a live screen changes here."""
    return [scene(tick=6200 + 10 * i, score=0.84 + 0.03 * math.sin(i / 7), doubt=0.6 + 0.2 * math.sin(i / 5)) for i in range(count)]
