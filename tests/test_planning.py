import dataclasses

import pytest

from betavae_core.images import experiments
from betavae_core.sweeps import members, planning
from betavae_core.sweeps.members import Member, Specification


def test_profiles_are_what_the_book_promises():
    assert len(experiments.BETAS) == 13
    assert len(planning.plan("mixing")) == 13 * experiments.EXPERIMENTS["mixing"].realizations >= 260
    assert len(planning.plan("localisation")) >= 260
    assert len(planning.plan("mixing-one-pair")) >= 130
    assert len(planning.plan("mixing-diagonal")) == 65
    assert len(planning.plan("pixel-mixing")) == 16 * 5
    assert len(planning.plan("mixing", "thesis")) == 13 * 300
    assert len(planning.plan("mixing", "smoke")) == 4


def test_a_plan_goes_realization_by_realization():
    members = planning.plan("mixing")
    assert [m.beta for m in members[:13]] == list(experiments.BETAS)
    assert [m.realization for m in members[:14]] == [0] * 13 + [1]


def test_everything_can_be_overridden():
    members = planning.plan("mixing", betas=[3, 0.0], realizations=1, epochs=7, samples=50, learning_rate=0.1)
    assert [m.beta for m in members] == [0.0, 3.0]
    assert members[0].specification == Specification("mixing", 50, 7, 0.1, "global")


def test_keys_tell_every_difference_and_nothing_else(monkeypatch):
    member = Member(Specification("mixing"), 1.0, 0)
    assert member.key == Member(Specification("mixing"), 1, 0).key
    others = [
        dataclasses.replace(member, beta=2.0),
        dataclasses.replace(member, realization=1),
        *(
            dataclasses.replace(member, specification=Specification("mixing", **change))
            for change in (
                {"samples": 10},
                {"epochs": 10},
                {"learning_rate": 1.0},
                {"scaling": "pixel"},
                {"family": "full"},
            )
        ),
        Member(Specification("localisation"), 1.0, 0),
    ]
    keys = {member.key, *(other.key for other in others)}
    monkeypatch.setattr(members, "NUMERICS_VERSION", 999)
    keys.add(member.key)
    assert len(keys) == len(others) + 2


def test_seeds_are_paired_across_beta_and_the_pair_is_fixed_where_promised():
    a, b = (experiments.draw("mixing", 4, samples=5)[0] for _ in range(2))
    assert (a.scores == b.scores).all()
    one, other = (experiments.draw("mixing-one-pair", r, samples=5)[0] for r in (0, 7))
    assert (one.standardised == other.standardised).all()
    assert one.classes == experiments.draw("mixing", 0, samples=5)[0].classes


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("nowhere",), {}, "no experiment 'nowhere'; experiments: mixing"),
        (("mixing", "huge"), {}, "no profile 'huge'; profiles: smoke"),
        (("mixing",), {"betas": [-1.0]}, "beta must be finite and >= 0; got -1.0"),
        (("mixing",), {"betas": [float("nan")]}, "beta must be finite and >= 0; got nan"),
        (("mixing",), {"betas": [float("inf")]}, "beta must be finite and >= 0; got inf"),
        (("mixing",), {"realizations": 0}, "realizations must be >= 1; got 0"),
        (("mixing",), {"epochs": 0}, "epochs must be >= 1; got 0"),
        (("mixing",), {"samples": -5}, "samples must be >= 1; got -5"),
        (("mixing",), {"learning_rate": 0.0}, "learning_rate must be finite and > 0; got 0.0"),
        (("mixing",), {"scaling": "row"}, "scaling must be global or pixel; got row"),
    ],
)
def test_bad_plans_are_refused_in_one_line(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        planning.plan(*arguments, **options)
