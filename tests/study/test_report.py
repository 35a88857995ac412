"""From scenes to tables: what is counted, what appears with a layer put off, and what is said of it."""

from engine.study import report
from engine.study.harms import CONTACT, CRUSH, FORCE
from engine.study.plan import GAINS, Outcome, ablation_plans, safety_plans, sawing_plans


def test_a_layer_earns_its_place_by_a_harm_that_the_whole_does_not_do_in_the_same_scene() -> None:
    plans = ablation_plans(("separation", "contact"), 2, 0, "scripted", "cpu")
    harms = {("", 1): {CRUSH: 1}, ("separation", 0): {CONTACT: 2}, ("contact", 1): {CRUSH: 1}}
    tree = report.ablation([Outcome(plan=plan, harms=harms.get((plan.without, plan.seed), {})) for plan in plans])
    rows = {row["without"]: row for row in tree["rows"]}
    assert list(rows) == ["nothing", "separation", "contact"]
    assert rows["separation"]["appear"] == {CONTACT: 1}
    assert rows["separation"]["earns_its_place"] is True
    assert rows["contact"]["appear"] == {}
    assert rows["contact"]["earns_its_place"] is False
    text = report.lines(tree)
    assert any("separation" in line and f"only without it: {CONTACT} in 1" in line for line in text)
    assert any("contact" in line and "did not earn its place" in line for line in text)


def test_scenes_with_a_contact_are_counted_and_the_bound_is_told() -> None:
    plans = safety_plans(4, 10, "compact", "cpu")
    clean = report.safety([Outcome(plan=plan, grip_peak_n=50.0 + plan.seed) for plan in plans])
    assert clean["ok"]
    assert (clean["contacts"], clean["contacts_upper_95"], clean["grip_peak_n"]) == (0, round(1.0 - 0.05**0.25, 5), 63.0)
    touched = report.safety([Outcome(plan=plan, harms={CONTACT: 3} if plan.seed == 11 else {FORCE: 1}) for plan in plans])
    assert not touched["ok"]
    assert touched["contacts"] == 1
    assert touched["harms"][FORCE] == 3
    assert "1 scenes; with 95 % confidence fewer than" in "\n".join(report.lines(touched))


def test_a_scene_that_failed_is_named_and_never_counts_as_a_good_one() -> None:
    plans = safety_plans(2, 0, "compact", "cpu")
    tree = report.safety([Outcome(plan=plans[0]), Outcome(plan=plans[1], error="OSError: no room")])
    assert not tree["ok"]
    assert tree["contacts_upper_95"] == 0.95
    assert tree["problems"] == ["seed 1: OSError: no room"]


def test_the_comparison_has_a_mean_with_its_interval_for_every_way_of_choosing_the_gains() -> None:
    plans = sawing_plans(3, 0, "compact", "cpu")
    tree = report.sawing([Outcome(plan=plan, depth_mm=10.0 + plan.seed, stops={"separation": plan.seed}) for plan in plans])
    assert [row["gains"] for row in tree["rows"]] == list(GAINS)
    mean, low, high = tree["rows"][0]["cut_rate_mm_per_min"]
    assert mean == 26.4
    assert low < mean < high
    assert tree["rows"][0]["separation_least_m"] is None
    assert len(report.lines(tree)) == 2 + len(GAINS)


def test_no_two_plans_of_a_study_are_the_same() -> None:
    for plans in (ablation_plans(("separation", "all"), 5, 0, "compact", "cpu"), sawing_plans(5, 3, "compact", "cpu")):
        assert len(set(plans)) == len(plans)
