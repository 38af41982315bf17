import dataclasses

import numpy as np
import pytest

from betavae_core.images import datasets, digits, experiments
from betavae_core.results import members, planning
from betavae_core.results.members import Member, Specification
from betavae_workshop.building import parameters
from betavae_workshop.sweeping import survey


def test_profiles_are_what_the_book_promises():
    assert len(experiments.BETAS) == 13
    assert len(planning.plan("mixing")) == 13 * experiments.EXPERIMENTS["mixing"].realizations >= 260
    assert len(planning.plan("localisation")) >= 260
    assert len(planning.plan("mixing-one-pair")) >= 130
    assert len(planning.plan("mixing-diagonal")) == 156
    assert len(planning.plan("pixel-mixing")) == 16 * 5
    assert len(planning.plan("mixing", "thesis")) == 13 * 300
    assert len(planning.plan("mixing", "smoke")) == 4


def test_a_plan_goes_realization_by_realization():
    members = planning.plan("mixing")
    assert [m.beta for m in members[:13]] == list(experiments.BETAS)
    assert [m.realization for m in members[:14]] == [0] * 13 + [1]


def test_a_supplement_may_begin_at_a_later_realization():
    (again,) = planning.plan("mixing", supplement=experiments.AGAIN.name)
    assert (again.realization, again.beta, again.specification.start) == (*experiments.FAR_OFF, 1)
    assert len(planning.plan("mixing", supplement=experiments.AGAIN.name, realizations=2)) == 2


def test_another_start_is_a_seed_that_no_realization_has():
    usual, other = (Member(Specification("mixing", start=start), 1.0, 7) for start in (0, 1))
    assert (usual.seed, other.seed) == (7, members.MOST_MEMBERS + 7)
    assert usual.key != other.key
    assert "start" not in usual.specification.identity
    assert Member(Specification("mixing", start=1000), 1.0, members.MOST_MEMBERS - 1).seed < 2**31


def test_everything_can_be_overridden():
    members = planning.plan("mixing", betas=[3, 0.0], realizations=1, epochs=7, samples=50, learning_rate=0.1)
    assert [m.beta for m in members] == [0.0, 3.0]
    assert members[0].specification == Specification("mixing", 50, 7, 0.1, "global")


def test_a_beta_of_minus_zero_is_zero():
    """It was another member, with a key of its own."""
    minus, zero = (planning.plan("mixing", betas=[beta], realizations=1) for beta in (-0.0, 0.0))
    assert [member.key for member in minus] == [member.key for member in zero]
    assert len(planning.plan("mixing", betas=[-0.0, 0.0], realizations=1)) == 1


CHANGED = {  # a value other than the default for each setting; a new setting needs its own
    "experiment": "localisation",
    "samples": 10,
    "epochs": 10,
    "learning_rate": 1.0,
    "scaling": "pixel",
    "family": "full",
    "settling": 0.5,
    "warmup": 0.5,
    "gamma": 2.0,
    "optimiser": "soap",
    "start": 1,
    "output": "solved",
}
RECORD = {"draw": datasets.pixel_mixing, "mixing": ((2.0, 1.0), (0.5, 1.6)), "noise_std": 2.0}
RECORD |= {"one_drawing": True, "digits": False, "canvas": 24}
MEMBER = Member(Specification("mixing"), 1.0, 0)


def test_every_setting_beta_and_realization_count_in_the_key():
    assert MEMBER.key == Member(Specification("mixing"), 1, 0).key
    settings = {setting.name for setting in dataclasses.fields(Specification)} - {"decoder_variance"}
    changed = [dataclasses.replace(MEMBER.specification, **{name: CHANGED[name]}) for name in settings]
    changed += [Specification("tiles"), Specification("tiles", decoder_variance="learned")]  # of tiles alone
    others = [Member(specification, 1.0, 0) for specification in changed]
    others += [dataclasses.replace(MEMBER, beta=2.0), dataclasses.replace(MEMBER, realization=1)]
    assert len({MEMBER.key, *(other.key for other in others)}) == len(others) + 1


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("epochs", (50, 50.0, np.int64(50), np.float32(50))),
        ("gamma", (2.0, 2, np.int32(2), np.float64(2))),
        ("settling", (0.5, np.float32(0.5), np.float64(0.5))),
        ("scaling", ("pixel", np.str_("pixel"))),
    ],
)
def test_equal_specifications_have_equal_keys_and_labels(name, values):
    found = [Specification("mixing", **{name: value}) for value in values]
    assert len({(spec, spec.label, Member(spec, 1.0, 0).key) for spec in found}) == 1


@pytest.mark.parametrize("name", RECORD)
def test_what_the_record_of_an_experiment_says_of_its_images_counts(name, monkeypatch):
    usual, record = MEMBER.key, experiments.experiment("mixing")
    monkeypatch.setitem(experiments.EXPERIMENTS, "mixing", dataclasses.replace(record, **{name: RECORD[name]}))
    assert MEMBER.key != usual


def test_what_decides_no_number_of_a_member_does_not_count(monkeypatch):
    """The grid of β and how many realizations a profile wants are the plan's; settings are the specification's."""
    usual, record = MEMBER.key, experiments.experiment("mixing")
    free = {"shows": "other words", "betas": (7.0,), "realizations": 3, "supplements": (), "settings": {}, "name": "x"}
    assert {field.name for field in dataclasses.fields(record)} == {*free, *RECORD}
    monkeypatch.setitem(experiments.EXPERIMENTS, "mixing", dataclasses.replace(record, **free))
    assert MEMBER.key == usual


def test_a_new_experiment_s_record_is_in_its_keys(monkeypatch):
    record = dataclasses.replace(experiments.experiment("mixing"), name="new")
    monkeypatch.setitem(experiments.EXPERIMENTS, "new", record)
    assert "record" in Specification("new").identity
    assert "record" not in Specification("mixing").identity


def _permuted(images, labels):
    return images, np.roll(labels, 1)


def _one_pixel(images, labels):
    images = images.copy()
    images[3, 10, 10] ^= 1
    return images, labels


@pytest.mark.parametrize("change", [_permuted, _one_pixel])
def test_pixels_and_labels_of_the_digits_count(change, monkeypatch, tmp_path):
    """Permuted labels draw other digits: none of what is there is theirs."""
    usual = MEMBER.key
    images, labels = change(*digits.load())
    np.savez(tmp_path / "other.npz", images=images, labels=labels, sha256=digits.pixel_hash(images))
    monkeypatch.setenv("BETAVAE_DIGITS", str(tmp_path / "other.npz"))
    other = MEMBER.key
    assert other != usual
    assert not survey.survey(planning.plan("mixing", realizations=1)).published
    np.savez(tmp_path / "other.npz", images=images, labels=9 - labels, sha256=digits.pixel_hash(images))
    assert MEMBER.key not in (usual, other), "they may change while a process looks on"
    monkeypatch.undo()
    assert MEMBER.key == usual


def test_the_version_of_the_code_counts(monkeypatch):
    usual = MEMBER.key
    monkeypatch.setattr(members, "NUMERICS_VERSION", 999)
    assert MEMBER.key != usual


def test_seeds_are_paired_across_beta_and_the_pair_is_fixed_where_promised():
    a, b = (experiments.draw("mixing", 4, samples=5)[0] for _ in range(2))
    assert (a.factors[0] == b.factors[0]).all()
    one, other = (experiments.draw("mixing-one-pair", r, samples=5)[0] for r in (0, 7))
    assert (one.standardised == other.standardised).all()
    assert one.classes == experiments.draw("mixing", 0, samples=5)[0].classes


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("nowhere",), {}, "no experiment 'nowhere'; experiments: mixing"),
        (("mixing", "huge"), {}, "no profile 'huge'; profiles: smoke"),
        (("mixing",), {"betas": [-1.0]}, "beta must be from 0 to 1e9; got -1.0"),
        (("mixing",), {"betas": [float("nan")]}, "beta must be from 0 to 1e9; got nan"),
        (("mixing",), {"betas": [float("inf")]}, "beta must be from 0 to 1e9; got inf"),
        (("mixing",), {"realizations": 0}, "realizations must be >= 1; got 0"),
        (("mixing",), {"realizations": 7693}, "at most 100,000 members; got 13 β × 7,693 realizations of mixing"),
        (("mixing",), {"epochs": 0}, "epochs must be from 1 to 100,000; got 0"),
        (("mixing",), {"samples": -5}, "samples must be from 10 to 100,000; got -5"),
        (("mixing",), {"learning_rate": 0.0}, "learning_rate must be finite and > 0; got 0.0"),
        (("mixing",), {"scaling": "row"}, "scaling must be global or pixel; got row"),
        (("mixing",), {"betas": []}, "a plan needs one β or more; got none for mixing"),
        (("mixing",), {"epochs": 1.5}, "epochs must be a whole number; got 1.5"),
        (("mixing",), {"start": True}, "start must be a whole number; got True"),
        (("mixing",), {"epochs": float("inf")}, "epochs must be a whole number; got inf"),
        (("mixing",), {"gamma": "1"}, "gamma must be a number; got '1'"),
        (("mixing",), {"warmup": [0.1]}, r"warmup must be a number; got \[0.1\]"),
        (("mixing",), {"learning_rate": float("nan")}, "learning_rate must be finite and > 0; got nan"),
        (("mixing",), {"family": None}, "family must be a name; got None"),
        (("mixing",), {"optimiser": "soap", "output": "solved"}, "output must be trained with soap.*; got solved"),
    ],
)
def test_bad_plans_are_refused_in_one_line(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        planning.plan(*arguments, **options)


def test_a_plan_that_is_too_large_is_refused_before_any_member_is_made(monkeypatch):
    assert len(planning.plan("mixing", betas=[1.0], realizations=planning.MOST_MEMBERS)) == 100_000
    monkeypatch.setattr(planning, "Member", lambda *_: pytest.fail("a member was made"))
    with pytest.raises(ValueError, match=r"got 1 β × 100,001 realizations"):
        planning.plan("mixing", betas=[1.0], realizations=100_001)


@pytest.mark.parametrize("chapter", ["mixing", "localisation", "tiles"])
def test_a_chapter_takes_no_more_than_its_networks_do(chapter):
    rules = {name: found.rule for name, found in parameters.declarations(chapter).items()}
    most = {name: float(rules[name].split(" to ")[1]) for name in ("beta", "epochs", "realizations")}
    assert (most["beta"], most["epochs"]) == (members.LARGEST_BETA, members.LIMITS["epochs"][1])
    planning.plan(chapter, betas=[most["beta"]], realizations=int(most["realizations"]), epochs=int(most["epochs"]))
