"""What the ledger lists, each under its id: claims of the thesis, questions that it raises, results of this companion.

A claim stands in the thesis, in the scope that it has there, and is told in our words. A question goes beyond what the
thesis says, though its argument or a reader may lead there; it is answered, and no answer counts against the thesis. A
result is this companion's own. No entry knows in which chapter it is judged.
"""

from typing import NamedTuple

CLAIM, QUESTION, RESULT = "claim", "question", "result"
KINDS = (CLAIM, QUESTION, RESULT)


class Entry(NamedTuple):
    """kind; text, in our words; place: where the thesis says it, or what leads to the question or the result."""

    kind: str
    text: str
    place: str


GENERAL = "Results, Theoretical Statements"
TRACTABLE = "Results, Analytically Tractable β-VAE"
NUMERICAL = "Results, Numerical Verification, and Fig. 3"
MIXING = "Results, Realistic Simulation, and Fig. 4"
LOCALISATION = "Results, Realistic Simulation, and Fig. 5"

ENTRIES = {
    "objective-falls": Entry(CLAIM, "The optimal objective does not rise as β grows", f"{GENERAL}, first proposition"),
    "c-falls": Entry(CLAIM, "At the optimum, C does not rise as β grows", f"{GENERAL}, second proposition"),
    "r-falls": Entry(CLAIM, "At the optimum, a larger β does not reconstruct better", "Examining Disentangling"),
    "elbo-peak": Entry(CLAIM, "At the optimum, ELBO is largest at β = 1", f"{GENERAL}, third proposition"),
    "fixed-decoder-mie": Entry(CLAIM, "With a decoder that is not trained, MIE is least at β = 1", TRACTABLE),
    "dependent": Entry(
        CLAIM, "Independent sources are in general dependent given the data", "Abstract; Examining Disentangling"
    ),
    "prior-limit": Entry(RESULT, "As β → ∞ the encoder goes to the prior and C to 0", "the thesis’s limit, made exact"),
    "linear-elbo-peak": Entry(CLAIM, "In the tractable model, ELBO is largest at β = 1", NUMERICAL),
    "linear-r-falls": Entry(CLAIM, "In the tractable model, R falls as β grows", NUMERICAL),
    "linear-c-falls": Entry(CLAIM, "In the tractable model, C falls as β grows", NUMERICAL),
    "linear-mie-optimum": Entry(CLAIM, "In the tractable model, MIE is not monotonic and has an optimum", NUMERICAL),
    "linear-tie-optimum": Entry(
        CLAIM,
        "In the tractable model, whose sources depend given the data, TIE is least at a finite β",
        f"Abstract; {NUMERICAL}",
    ),
    "truth-at-a": Entry(CLAIM, "If the decoder is the truth, D = A, the model’s posterior is the true one", TRACTABLE),
    "fixed-decoder-best": Entry(
        CLAIM, "With a fixed decoder, β = 1 is best for the true latents (judged with D = A, σₓ = σ)", TRACTABLE
    ),
    "fixed-decoder-noise": Entry(
        QUESTION,
        "With any fixed decoder, is β = 1 best for the true latents?",
        f"{TRACTABLE}; the thesis’s claim is judged at D = A, σₓ = σ",
    ),
    "likelihood-falls": Entry(
        QUESTION, "Does the likelihood of the data fall at each step of β?", f"{GENERAL}: it “can be expected”"
    ),
    "conflict-needed": Entry(
        QUESTION,
        "Does a finite optimum need the conflict between the two kinds of independence?",
        "Abstract: the conflict “leads to” an optimum",
    ),
    "diagonal-moves": Entry(
        QUESTION,
        "With the true decoder (D = A), does a diagonal q move the best β where the posterior is not diagonal?",
        "Abstract: β-VAE “enforces conditional independence”",
    ),
    "above-noise-ratio": Entry(
        RESULT,
        "If sources depend given the data and the decoder is trained, the best β is above the noise ratio",
        "the theorem on the best β",
    ),
    "mixing-elbo-peak": Entry(CLAIM, "Mixing: ELBO is largest near β = 1", MIXING),
    "mixing-elbo-falls": Entry(CLAIM, "Mixing: beyond its maximum, ELBO falls as β grows", MIXING),
    "mixing-r-falls": Entry(CLAIM, "Mixing: R falls as β grows, so reconstruction worsens", MIXING),
    "mixing-c-falls": Entry(CLAIM, "Mixing: C falls as β grows", MIXING),
    "mixing-tie-optimum": Entry(CLAIM, "Mixing: TIE is not monotonic and has an optimal β", MIXING),
    "mixing-factorised": Entry(
        CLAIM,
        "Mixing: higher β makes codes somewhat factorised (judged by their correlation)",
        "Results, Realistic Simulation",
    ),
    "localisation-elbo-peak": Entry(CLAIM, "Localisation: ELBO is largest near β = 1", LOCALISATION),
    "localisation-elbo-falls": Entry(CLAIM, "Localisation: beyond its maximum, ELBO falls as β grows", LOCALISATION),
    "localisation-r-falls": Entry(CLAIM, "Localisation: R falls as β grows, so reconstruction worsens", LOCALISATION),
    "localisation-c-falls": Entry(CLAIM, "Localisation: C falls as β grows", LOCALISATION),
    "localisation-tie-optimum": Entry(CLAIM, "Localisation: TIE is not monotonic and has an optimal β", LOCALISATION),
    "localisation-factorised": Entry(
        CLAIM, "Localisation: higher β makes codes somewhat factorised (judged by their correlation)", "Results, Fig. 5"
    ),
    "localisation-axes": Entry(
        CLAIM,
        "Localisation: latents seem to encode orthogonal axes of motion (judged against chance)",
        "Results, Fig. 5 E",
    ),
    **{
        f"{name}-{score}": Entry(
            QUESTION,
            f"{name.capitalize()}: does a latent come to stand for one source as β grows, by {score.upper()}?",
            "Results say only “somewhat factorized”",
        )
        for name in ("mixing", "localisation")
        for score in ("mig", "sap")
    },
    "optimum-without-dependence": Entry(
        QUESTION, "Do networks have a finite best β even where sources stay independent given the data?", "Abstract"
    ),
    "tiles-slope": Entry(
        RESULT,
        "Tiles: if sources depend given the data, TIE still falls at the noise ratio, β = ν",
        "the theorem on the best β",
    ),
    "tiles-against-control": Entry(
        RESULT,
        "Tiles: at β = ν TIE falls more steeply than in the control, whose sources are independent given the data",
        "the theorem; control trained for 6,000 epochs, as tiles are",
    ),
    "tiles-against-settled": Entry(
        RESULT,
        "Tiles: at β = ν TIE falls more steeply than in a control trained for 20,000 epochs (exploratory)",
        "added after that control missed what theory predicts",
    ),
    "tiles-against-aligned": Entry(
        RESULT,
        "Tiles: at β = ν TIE falls more steeply than in a control that is as easy to train",
        "the theorem; predicted before this control was trained",
    ),
    "turned-free": Entry(RESULT, "Turning the latents changes no term but TIE", "the theorem on turning"),
    "turned-tie": Entry(
        RESULT,
        "Tiles: at β = ν, turning the latents by a few labelled images lowers TIE",
        "the law of labels; means over draws of the images",
    ),
    "turned-best": Entry(
        RESULT, "Tiles: turning the latents lowers the best β", "the theorem on rotations, by which it goes to ν"
    ),
}

# What the ledger says in short, each with the ids behind it, all of one kind.
HEADLINES = {
    "In theory ELBO peaks at β = 1 and reconstruction falls": ("objective-falls", "r-falls", "c-falls", "elbo-peak"),
    "Independent sources depend given the data": ("dependent",),
    "The error of inference is least at a finite β": (
        "linear-tie-optimum",
        "mixing-tie-optimum",
        "localisation-tie-optimum",
    ),
    "A trained network’s ELBO is largest near β = 1": ("mixing-elbo-peak", "localisation-elbo-peak"),
    "Reconstruction worsens at each step of β": ("mixing-r-falls", "localisation-r-falls"),
    "Higher β lowers the correlation of latents": ("mixing-factorised", "localisation-factorised"),
    "Axes of motion are nearer to 90° than by chance": ("localisation-axes",),
    "Is conditional dependence needed for a finite best β?": ("conflict-needed",),
    "With the true decoder, does a diagonal q move the best β?": ("diagonal-moves",),
    "Does the likelihood fall at each step of β?": ("likelihood-falls",),
    "Does higher β align latents with sources?": ("mixing-mig", "mixing-sap", "localisation-mig", "localisation-sap"),
    "With dependent sources the best β exceeds the noise ratio": ("above-noise-ratio",),
    "Networks’ TIE still falls as β passes the noise ratio": ("tiles-slope",),
    "TIE falls more steeply than in a control trained alike": ("tiles-against-aligned",),
    "In tiles, a few labels lower TIE": ("turned-tie",),
}
