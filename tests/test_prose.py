"""Sentences that can be read once: few are long, none is very long."""

import re

import pytest

from betavae_core.paths import CHAPTERS

DONE = (
    *(
        "introduction",
        "background",
        "theory",
        "analytical",
        "rotation",
        "methods",
        "appendices",
        "contents",
        "glossary",
    ),
    *("discussion", "claims", "tiles", "reproduce", "beyond", "turning", "intro", "mixing", "localisation"),
)
LONG, LONGEST, SHARE = 30, 45, 0.04  # words in a long sentence, in the longest, and how many may be long
DIRECTIVE = re.compile(r"^ *```\{(?:code-cell|table)\}.*?^ *```$", re.MULTILINE | re.DOTALL)
MATHS = re.compile(r"\n*^ *```\{math\}\n(.*?)^ *```$\n*", re.MULTILINE | re.DOTALL)
MARKUP = re.compile(r"^(?:[`:]{3,}.*|:\w+:.*|\(.*\)=|#.*|\|.*)$", re.MULTILINE)  # fences, options, labels, heads, rows
END = re.compile(r"(?<=[.!?])[)”’*]*\s+(?=[^\sa-z])")


def as_a_word(maths):
    """Displayed mathematics is a word of the sentence around it, and ends that if it ends with a full stop."""
    return " X. " if re.search(r"\.\s*(?:\\end\{aligned\}\s*)?\Z", maths[1]) else " X "


def sentences(text):
    """The sentences of a chapter's prose; mathematics, a role or code counts as a word."""
    text = re.sub(r"\A---\n.*?^---$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = MARKUP.sub("\n", MATHS.sub(as_a_word, DIRECTIVE.sub("\n", text)))
    text = re.sub(r"\{[\w:]+\}`[^`]*`|`[^`]*`", "X", text)
    text = re.sub(r"^(?:: |- |\d+\. )", "\n", text, flags=re.MULTILINE)
    text = re.sub(r"\b(et al|cf|e\.g|i\.e)\.", r"\1", text.replace("*", ""))
    return [s for paragraph in re.split(r"\n\s*\n", text) for s in END.split(paragraph.strip()) if s]


def length(sentence):
    return sum(bool(re.search(r"\w", word)) for word in sentence.split())


@pytest.mark.parametrize("chapter", DONE)
def test_few_sentences_are_long_and_none_is_very_long(chapter):
    found = sentences((CHAPTERS / f"{chapter}.md").read_text())
    long = [sentence for sentence in found if length(sentence) > LONG]
    assert len(found) > 20
    assert [sentence for sentence in long if length(sentence) > LONGEST] == []
    assert len(long) <= SHARE * len(found), long


def test_no_brackets_are_around_an_equation_s_number_which_has_its_own():
    for page in CHAPTERS.glob("*.md"):
        assert not re.findall(r"\(\{eq\}`[^`]*`\)", page.read_text()), page.name


def test_no_glued_text_has_markup_which_the_page_would_show_as_it_stands():
    marked = re.compile(r'glue\(.*"[^"\n]*\*[\w{][^"*\n]*\*')
    assert marked.search('glue("a", f"*{verdict.word}*: {verdict.estimate}", display=False)')
    assert not [line for page in CHAPTERS.glob("*.md") for line in marked.findall(page.read_text())]


def test_what_counts_as_a_sentence():
    text = "---\na: b\n---\n(label)=\n# Head\nOne {math}`a. B` two\nthree. *Four* five:\n"
    text += "\n```{math}\nx .\n```\n\nSix (seven.) Eight"
    cell = "\n\n```{code-cell} ipython3\nA. B. C\n```\n\n- Nine et al. ten\n- eleven\n\n| a | b. C |\n"
    assert [length(sentence) for sentence in sentences(text + cell)] == [4, 3, 2, 1, 4, 1]
