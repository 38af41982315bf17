"""Change is cheap: each common change made on a copy, in the files that CONTRIBUTING names and no other, and used."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from betavae_core.images import digits
from betavae_core.images.experiments import EXPERIMENTS
from betavae_core.paths import ROOT
from betavae_workshop import digit_forms
from tests.conftest import HALF_WRITTEN


class Changed:
    """A copy of the package, its data and chapters, to be changed and used from processes of their own."""

    def __init__(self, folder):
        self.folder, self.touched = folder, set()
        for name in ("betavae_core", "betavae_workshop", "book", "data"):
            shutil.copytree(ROOT / name, folder / name, ignore=HALF_WRITTEN)
        shutil.copy(ROOT / "_toc.yml", folder)

    def change(self, name, *changes):
        """Replace text in one file."""
        file = self.folder / name
        text = file.read_text()
        for old, new in changes:
            assert text.count(old) == 1, (name, old)
            text = text.replace(old, new)
        file.write_text(text)
        self.touched.add(name)

    def run(self, *words):
        """Run Python in the copy, on its own stores; what it prints."""
        stores = {"BETAVAE_RESULTS": str(self.folder / "results"), "PYTHONPATH": str(self.folder)}
        done = subprocess.run(
            [sys.executable, *words], capture_output=True, text=True, cwd=self.folder, env={**os.environ, **stores}
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def told(self, program):
        """What a program prints as JSON, which may call what `HELP` defines."""
        return json.loads(self.run("-c", HELP + program))


@pytest.fixture
def copy(tmp_path):
    return Changed(tmp_path)


HELP = """
import json, numpy as np

def betavae(line):
    "What a command line prints; many in one process load TensorFlow, and the process that trains, once."
    from click.testing import CliRunner
    from betavae_workshop import cli
    done = CliRunner().invoke(cli.main, line.split())
    assert done.exit_code == 0, done.output
    return done.stdout

def missing():
    "How much is missing of each plan."
    from betavae_core.results import planning
    from betavae_workshop.sweeping import survey
    return [len(survey.survey(plan).missing) for plan in planning.plans()]
"""


@pytest.fixture(scope="module")
def missing(tmp_path_factory):
    """What is missing of each plan before a change."""
    return Changed(tmp_path_factory.mktemp("unchanged")).told("print(json.dumps(missing()))")


def with_a_metric(copy):
    copy.change(
        "betavae_core/theory/terms.py",
        (
            "}\nLINEAR",
            '    "spread": Term("S", "variance of q", measured=True, units="1", heading="S", panel=6),\n}\nLINEAR',
        ),
    )
    copy.change(
        "betavae_core/networks/evaluation.py",
        (
            '        "mie_ess":',
            '        "spread": np.diagonal(q.covariance(), axis1=-2, axis2=-1).mean(),\n        "mie_ess":',
        ),
    )


def test_a_metric_is_a_line_and_a_formula(copy, missing):
    with_a_metric(copy)
    lacks, *found = copy.told("""
from betavae_workshop.sweeping import crews
from betavae_core.results import planning, sweep
from betavae_workshop.sweeping import running
lacks, old = missing(), sweep.load("mixing")
if __name__ == "__main__":
    members = planning.plan("mixing", "smoke", realizations=1)
    list(running.run(members, crews.here(1)))
    new = sweep.load("mixing", "smoke", realizations=1)
    counts = [int(np.isfinite(d[n]).sum()) for d in (old, new) for n in ("tie", "spread", "spread_heldout")]
    from betavae_core.showing import curves, live
    shown = [[panel.title for panel in curves.deep_panels(d, new, {}, {}, {})][-1] for d in (old, new)]
    shown.append([row[0] for row in live.table(new.isel(beta=[0]))[1]][-1])
    print(json.dumps([lacks, counts, new.spread.attrs, shown]))
""")
    assert lacks == missing
    assert found == [
        [13 * EXPERIMENTS["mixing"].realizations, 0, 0, 2, 2, 2],
        {"units": "1", "long_name": "variance of q"},
        ["E  MIE", "F  S", "S"],  # in figures and tables where anything is stored of it
    ]
    assert len(copy.touched) == 2


def test_evaluate_fills_a_new_metric_in_where_networks_are_stored(copy):
    """One is published, one in the working store; what was known of both stays."""
    small = "mixing --samples 60 --epochs 10 --beta 5 --realizations"
    look = """
def look():
    from betavae_core.results import sweep
    found = sweep.load("mixing", betas=[5.0], realizations=2, samples=60, epochs=10)
    spread = found.get("spread", found.tie * 0)
    return [found.tie.values[0].tolist(), found.attrs["published"], spread.values[0].tolist()]
"""
    before = copy.told(f"""{look}
for verb, count in (("sweep", "1 --jobs 1"), ("publish", "1"), ("sweep", "2 --jobs 1")):
    betavae(f"{{verb}} {small} {{count}}")
print(json.dumps(look()))
""")
    with_a_metric(copy)
    told, after, again = copy.told(f"""{look}
print(json.dumps([betavae("evaluate {small} 2 --jobs 1"), look(), betavae("evaluate {small} 2")]))
""")
    assert told.startswith("mixing,samples=60,epochs=10: filled in for 2; their known terms come out within 0 nats")
    assert after[:2] == before[:2] == [before[0], 1]
    assert all(0 < value < 2 for value in after[2])
    assert again == "mixing,samples=60,epochs=10: no stored network lacks a term or latents\n"


def test_a_setting_is_a_field(copy, missing):
    """It counts in a key only where it differs from its default, so that all that is published stays valid."""
    copy.change(
        "betavae_core/results/members.py",
        (
            "    def __post_init__",
            '    decay: float = field(default=0.9, metadata={"help": "Adam\'s first decay."})\n\n    def __post_init__',
        ),
    )
    lacks, shown, default, other = copy.told("""
line = "sweep mixing --explain --beta 1 --realizations 1 --decay"
print(json.dumps([missing(), betavae("sweep --help"), betavae(line + " 0.9"), betavae(line + " 0.5")]))
""")
    assert lacks == missing
    assert "--decay X" in shown
    assert (default, other) == ("", "beta 1: in no store, realization 0\n")
    assert len(copy.touched) == 1


def test_an_experiment_is_a_record_and_its_drawing(copy, missing):
    copy.change(
        "betavae_core/images/datasets.py",
        (
            "def pixel_mixing(",
            "def flipped(rng, samples: int, matrix, noise_std: float) -> Drawing:\n"
            '    """Mixing, upside down."""\n'
            "    drawing = mixing(rng, samples, matrix, noise_std)\n"
            "    return drawing._replace(render=lambda code: drawing.render(code)[:, ::-1])\n\n\n"
            "def pixel_mixing(",
        ),
    )
    copy.change(
        "betavae_core/images/experiments.py",
        (
            "\n)\nEXPERIMENTS",
            '\n    Experiment("flipped", datasets.flipped, 3, "mixing, upside down"),\n)\nEXPERIMENTS',
        ),
    )
    lacks, shown, before, _, stored, published = copy.told("""
if __name__ == "__main__":
    lines = ["sweep --help", "status", "sweep flipped --profile smoke --realizations 1 --jobs 1",
             "status flipped --profile smoke", "publish flipped --profile smoke"]
    print(json.dumps([missing(), *map(betavae, lines)]))
""")
    assert lacks == [*missing, 39]
    assert "flipped          mixing, upside down" in shown
    assert "flipped: 0 of 39" in before
    assert "flipped,samples=100,epochs=20: 2 of 4" in stored
    assert "flipped,samples=100,epochs=20.nc" in published
    assert len(copy.touched) == 2


DISC = '''def disc(rng, samples: int, matrix, noise_std: float) -> Drawing:
    """A disc moved from the centre by r pixels; its edge is soft, so that parts of a pixel show."""
    process = LinearGaussian(matrix, noise_std)
    drawn = [process.sample(samples, rng) for _ in range(2)]
    down, right = np.mgrid[-11.5:12, -11.5:12]

    def render(code):
        away = np.hypot(right[None] - code[:, 0, None, None], down[None] - code[:, 1, None, None])
        return (1 / (1 + np.exp(away - 4))).reshape(len(code), -1)

    return Drawing(render, drawn, process, ())


def pixel_mixing('''


def test_images_that_are_not_digits_are_a_record_and_a_drawing(copy, missing, tmp_path):
    """MNIST is no part of their keys, the canvas is their own; they are trained, shown, held against theory."""
    copy.change("betavae_core/images/datasets.py", ("def pixel_mixing(", DISC))
    words = '"disc", datasets.disc, 2, "a disc, moved", noise_std=0.5, digits=False, canvas=24'
    record = f"\n    Experiment({words}),\n)\nEXPERIMENTS"
    copy.change("betavae_core/images/experiments.py", ("\n)\nEXPERIMENTS", record))
    images, labels = digits.load()
    other = digit_forms.write(tmp_path / "other.npz", images[::-1], labels[::-1])
    seen = """
import os
import cv2
import numpy as np
from betavae_core.findings import latents, prediction
from betavae_core.images import experiments
from betavae_core.showing import deep
from betavae_workshop.sweeping import crews, running
from betavae_core.results import planning, sweep
if __name__ == "__main__":
    lacks, wanted = missing(), planning.plan("disc", "smoke", realizations=1)
    key = wanted[0].key
    list(running.run(wanted, crews.here(1)))
    stored = sweep.load("disc", "smoke", realizations=1)
    rows = [deep.sheets(stored)[1.0][0].shape, experiments.gallery("disc", 3).shape]
    rows.append(latents.latent_scores(stored).mig.shape)
    rows.append(cv2.imdecode(np.frombuffer(crews.draw_atlas(wanted[0], key)[0].image, np.uint8), 0).shape)
    gap = deep.discrepancy_rows(stored, prediction.prediction("disc", stored.beta.values, [0]))
    status = betavae("status disc --profile smoke")
    os.environ["BETAVAE_DIGITS"] = OTHER
    print(json.dumps([lacks, rows, len(gap), wanted[0].key == key, status]))
""".replace("OTHER", repr(str(other)))
    lacks, *found, status = copy.told(seen)
    assert lacks == [*missing, 26]
    assert found == [[[4, 7, 24, 24], [10, 3, 24, 24], [2, 1], [360, 360]], 2, True]
    assert "disc,samples=100,epochs=20: 2 of 4" in status
    assert len(copy.touched) == 2


SHARED = '''@dataclass(frozen=True, eq=False)
class Shared(Posterior):
    """One variance for all latents."""

    @staticmethod
    def outputs(latents: int) -> int:
        return latents + 1

    @classmethod
    def of_head(cls, head, latents: int):
        mean = head[..., :latents]
        return cls(mean, head[..., latents:] + 0 * mean)


FAMILIES: dict'''


def test_a_family_of_encoders_is_a_class_and_its_name(copy, missing):
    """Both libraries train it, its members have keys of their own, and what is stored of it is what it is."""
    line = ('"full": Full}', '"full": Full, "shared": Shared}')
    copy.change("betavae_core/networks/posterior.py", ("FAMILIES: dict", SHARED), line)
    seen = """
from betavae_core.images import experiments
from betavae_core.networks import jax_training, training
from betavae_core.results import planning, sweep
from betavae_workshop.sweeping import crews, running
if __name__ == "__main__":
    settings = dict(betas=[5.0], realizations=1, family="shared", samples=60, epochs=20)
    [member] = planning.plan("mixing", **settings)
    list(running.run([member], crews.here(1)))
    stored = sweep.load("mixing", **settings)
    std = stored.latent_std.values[0, 0].astype(float)
    data, _ = experiments.draw("mixing", 0, samples=60)
    curves = [t.fit([data], [5.0], [0], 20) for t in (training.trainer(family="shared"),
                                                      jax_training.Trainer(family="shared"))]
    print(json.dumps([missing(), betavae("sweep --help"),
                      bool(np.isfinite(stored.tie.values).all()), float(np.ptp(std, axis=1).max()),
                      float(np.ptp(std[:, 0])), float(abs(curves[0] / curves[1] - 1).max())]))
"""
    lacks, shown, finite, apart, over_images, libraries = copy.told(seen)
    assert lacks == missing
    assert finite and apart == 0 < over_images
    assert libraries < 1e-4
    assert "diagonal or full or shared" in shown.replace("\n", " ")
    assert len(copy.touched) == 1


def test_a_chapter_is_its_text_and_a_line_of_the_contents(copy):
    text = (copy.folder / "book/theory.md").read_text()
    front = text[: text.index("(theory)=")] if "(theory)=" in text else text[: text.index("\n# ")]
    cell = "```{code-cell} ipython3\n:tags: [parameters]\nnetworks = 3  # 1 to 9\n```\n"
    use = "```{code-cell} ipython3\nprint('twice is', 2 * networks)\n```\n"
    (copy.folder / "book/extra.md").write_text(f"{front}\n# Extra\n\n{cell}\n{use}")
    copy.change("_toc.yml", ("      - file: book/beyond\n", "      - file: book/beyond\n      - file: book/extra\n"))
    told = copy.told("""
from pathlib import Path
from betavae_workshop.building import chapters, execution, parameters
stage = Path("_build/executed")
execution.bring_up_to_date({"extra": parameters.checked("extra", {"networks": "4"})}, stage, lambda line: None)
try: parameters.checked("extra", {"networks": "0"})
except ValueError as error: refused = str(error)
names = chapters.names()
print(json.dumps([names.index("extra") - names.index("beyond"), refused,
                  "twice is 8" in (stage / "book/extra.ipynb").read_text()]))
""")
    assert told[1:] == ["networks must be from 1 to 9; got 0", True]
    assert told[0] == 1
    assert copy.touched == {"_toc.yml"}


def test_a_claim_is_a_rule_and_a_call(copy):
    copy.change(
        "betavae_core/findings/judging/ledger.py",
        (
            '    "objective-falls": Entry(',
            '    "small": Entry(CLAIM, "It is small", "Results"),\n    "objective-falls": Entry(',
        ),
    )
    copy.change(
        "betavae_core/findings/verdicts.py",
        (
            "def falls(",
            "def small(id: str, value: float) -> Verdict:\n"
            '    """On whether a value is below one."""\n'
            '    return exact(id, f"{value:g}", value < 1)\n\n\n'
            "def falls(",
        ),
    )
    copy.change(
        "book/theory.md",
        (
            'claims.record("theory", statements.general(worst, general, control), shown)',
            'judged = [*statements.general(worst, general, control), verdicts.small("small", 0.5)]\n'
            'claims.record("theory", judged, shown | {"small": "p1"})',
        ),
    )
    told = copy.told("""
import os
from pathlib import Path
from betavae_core import paths
from betavae_workshop.building import execution
from betavae_core.findings import claims
execution.bring_up_to_date({"theory": {"models": 10}}, paths.EXECUTED, lambda line: None)
found = claims.load(["theory"], paths.EXECUTED)[-1]
print(json.dumps([*found.entry, found.evidence, found.estimate, found.interval, found.word]))
""")
    assert told == ["claim", "It is small", "Results", "theory", "0.5", "exact", "held"]
    assert len(copy.touched) == 3


def test_a_format_of_stored_files_is_a_number_and_a_reader(copy, missing):
    """The old format is read through its reader; test_store.py has what a later one gets."""
    copy.change(
        "betavae_core/results/record.py",
        ("FORMAT = 1 ", "FORMAT = 2 "),
        ("READERS = {}", 'READERS = {1: lambda dataset: dataset.rename(tie="error").rename(error="tie")}'),
    )
    assert copy.told("print(json.dumps(missing()))") == missing
    assert copy.touched == {"betavae_core/results/record.py"}
