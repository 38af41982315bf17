"""The glossary: what the text and the formulas use of it is found, and a built page shows its entries beside them."""

import sys

import pytest
from docutils import nodes

from betavae_core import paths

sys.path.insert(0, str(paths.CHAPTERS / "_ext"))
import glossary  # book/_ext

LETTERS = (r"\log p_\theta(x)", r"\beta^*", r"\bar\rho", r"\sigma_x", r"p_\theta", r"p_{gt}", r"\rho_i", r"\lambda_i")
LETTERS += (r"\mu_i", "v_i", r"\sigma", r"L_\beta", "q(z)", *"RCMAOxzqb")


@pytest.mark.parametrize(
    ("formula", "used"),
    [
        (r"R - \beta C", ["R", "C"]),
        (r"C_2 - C_1 \le 0", ["C"]),
        (r"R_0 + M' + M_D + \hat A + O(\delta^4)", []),
        (r"b = \beta\sigma_x^2", ["b", r"\sigma_x"]),
        (r"\sigma^2/\sigma_x^2", [r"\sigma", r"\sigma_x"]),
        (r"\lambda_{k+1} < \lambda_k, \rho_i = 1, v_i = v_1", [r"\lambda_i", r"\rho_i", "v_i"]),
        (r"\mathrm{KL}(q(z|x) \,\|\, p_{gt}(s|x))", ["q", "z", "x", "p_{gt}"]),
        (r"q(z) = \mathbb E_x\, q(z|x)", ["q(z)", "q", "z", "x"]),
        (r"\operatorname{tr} A^\top A, \mathrm{TIE}_\pi, \operatorname{cov} x", ["A", "x"]),
        (r"\log p_\theta(x) = p_\theta(x|z)", [r"\log p_\theta(x)", r"p_\theta", "x", "z"]),
        (r"1/\bar\rho", [r"\bar\rho"]),
        (r"\mathrm dC^*/\mathrm d\beta^*", ["C", r"\beta^*"]),
        (r"\bar x_A, \mathcal R", []),
    ],
)
def test_letters_of_a_formula(formula, used):
    letters = sorted(LETTERS, key=len, reverse=True)
    found = glossary.Glossary([], (), (glossary.letters_of(letters), letters), {})
    assert found.letters_in(formula) == used


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("Latents of one latent", ["Latents", "latent"]),
        ("mixing matrices, principal axes", ["mixing matrices", "principal axes"]),
        ("the mixing\nmatrix", ["mixing\nmatrix"]),
        ("it settles, settled, will settle", ["settles", "settled", "settle"]),
        ("TIE's, not TIES or UNTIED, but (TIE)", ["TIE", "TIE"]),
        ("the exact posterior", ["exact posterior"]),
        ("a non-latent and a latent-free", []),
        ("β* = 1, σₓ, σ² and ν", ["β*", "σₓ", "σ", "ν"]),
    ],
)
def test_words_of_a_text(text, used):
    """Longer ones before those that they hold; in the plural, at a sentence's start, and over the end of a line."""
    words = ["exact posterior", "mixing matrix", "principal axis", "posterior", "settled", "latent", "TIE"]
    words += ["β*", "σₓ", "σ", "ν"]
    found = glossary.Glossary([], (glossary.words_of(words), words), (), {})
    assert [match[0] for match, _ in found.words_in(text)] == used


def test_a_term_may_go_over_the_end_of_a_line():
    """Each line comes as a text of its own."""
    lines = [nodes.Text(part) for part in ("the mixing", "\n", "matrix", "\n", "matrix")]
    paragraph = nodes.paragraph("", "", *lines, nodes.emphasis("", "x"), nodes.Text("x"))
    glossary.join_lines(paragraph)
    assert [part.astext() for part in paragraph] == ["the mixing\nmatrix\nmatrix", "x", "x"]
    assert all(part.parent is paragraph for part in paragraph)
