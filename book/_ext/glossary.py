"""Sphinx extension: the glossary's terms have their entry as a tip, wherever a section uses them first.

Each line of words in `book/glossary.md` is a form in which the text may use the term. A line of mathematics is a letter
that formulas may use. The first use in a section becomes a link to the entry, and each page carries the entries that it
uses in a <template>, from which `scripts/tips.js` shows them. Without scripts the links still lead to the glossary.
"""

import functools
import itertools
import re
from typing import NamedTuple

from docutils import nodes
from sphinx import addnodes

PAGE = "book/glossary"
WITHOUT = ("book/api", "book/references", PAGE)  # pages whose words are not looked up
GREEK = {r"\nu": "ν", r"\kappa_i": "κ", r"\rho_i": "ρ", r"\beta^*": "β*", r"\sigma_x": "σₓ", r"\sigma": "σ"}
GREEK |= {r"\lambda_i": "λ", r"\bar\rho": "ρ̄"}  # as captions and tables write them
SKIPPED = (nodes.literal, nodes.literal_block, nodes.raw, nodes.comment, nodes.term, nodes.math_block)
PASSED = (  # over in a formula: accents, names in other type, commands, indices
    r"\\(?:hat|bar)\s*\\?[A-Za-z]+",
    r"\\(?:operatorname|text|math[a-z]+)(?:\{[^{}]*\}|\s+[A-Za-z])",
    r"\\[A-Za-z]+",
    r"_(?:\{[^{}]*\}|\\?[A-Za-z]+)",
)
INDEX = r"_(?:[ij1-9]|\{[ij1-9]+\})"  # R₁ is an R; what has another index is another thing


class Entry(NamedTuple):
    """A term of the glossary: its anchors, the words and letters that stand for it, and its nodes."""

    anchors: list[str]
    words: list[str]
    letters: list[str]
    item: nodes.definition_list_item


def entries(glossary: nodes.document) -> list[Entry]:
    """The terms of the glossary's page."""
    found = []
    for item in glossary.findall(nodes.definition_list_item):
        terms = [child for child in item.children if isinstance(child, nodes.term)]
        if isinstance(item.parent.parent, addnodes.glossary):
            letters = [node.astext() for term in terms for node in term.findall(nodes.math)]
            words = [term.astext() for term in terms if not next(iter(term.findall(nodes.math)), None)]
            words += [GREEK[letter] for letter in letters if letter in GREEK]
            found.append(Entry([term["ids"][0] for term in terms], words, letters, item))
    return found


def letters_of(letters) -> re.Pattern:
    """Finds any of these letters in a formula, each as a group of its own; the longer first, so that σₓ is no σ.

    M′, M_D, N(0, I) and O(δ) are not M, N and O.
    """
    return re.compile("|".join([*(f"({letter_form(letter)})" for letter in letters), *PASSED]))


def letter_form(letter: str) -> str:
    """What a letter looks like in a formula."""
    form = re.escape(letter.removesuffix("_i")) + "(?!')"
    if not letter.endswith(("_i", ")")):
        form += f"(?!_(?!{INDEX[1:]}))"
    if len(letter) > 1 and letter[-1].isalpha():
        return form + "(?![A-Za-z])"
    return form + r"(?!\()" if letter.isupper() else form


def words_of(words) -> re.Pattern:
    """Finds any of these words, each as a group of its own; where one holds another, the longer is tried first."""
    return re.compile(r"(?<![\w-])(?:" + "|".join(f"({form_of(word)})" for word in words) + ")")


def form_of(word: str) -> str:
    """What a word looks like in a text: with a capital, in the plural, over the end of a line."""
    if not word[-1].isascii() or word[-1] == "*":
        return re.escape(word) + r"(?![ₓ\u0304*A-Za-z])"  # a letter, with an index or a power behind it
    stem, end = word, "s?"
    for last, ends in {"ix": "(?:ix|ices)", "is": "[ie]s", "sed": "se[sd]?", "tled": "tle[sd]?"}.items():
        if word.endswith(last):
            stem, end = word.removesuffix(last), ends
    form = r"\s+".join(map(re.escape, stem.split()))
    return (f"[{form[0].upper()}{form[0]}]{form[1:]}" if word[0].islower() else form) + end + r"(?![\w-])"


class Glossary(NamedTuple):
    """All entries, and how to find them."""

    entries: list[Entry]
    words: tuple[re.Pattern, list[str]]  # what finds them in a text, and the anchor of each of its groups
    letters: tuple[re.Pattern, list[str]]  # the same for formulas
    anchors: dict[str, str]  # of every name, to the first of its entry
    names: dict[str, str]  # of each entry, by its anchor

    def words_in(self, text: str):
        """Each term that a text uses: its place and its anchor."""
        return ((match, self.words[1][match.lastindex - 1]) for match in self.words[0].finditer(text))

    def letters_in(self, formula: str) -> list[str]:
        """The anchors of the letters that a formula uses, in its order."""
        found = (match.lastindex for match in self.letters[0].finditer(formula))
        return list(dict.fromkeys(self.letters[1][group - 1] for group in found if group))


def glossary_of(document: nodes.document) -> Glossary:
    """What a page with a glossary explains."""
    found = entries(document)

    def longest_first(forms):
        return zip(*sorted(forms, key=lambda pair: -len(pair[0])), strict=True)

    words, of_words = longest_first((word, entry.anchors[0]) for entry in found for word in entry.words)
    letters, of_letters = longest_first((letter, entry.anchors[0]) for entry in found for letter in entry.letters)
    anchors = {anchor: entry.anchors[0] for entry in found for anchor in entry.anchors}
    names = {entry.anchors[0]: entry.words[0] for entry in found}
    return Glossary(found, (words_of(words), of_words), (letters_of(letters), of_letters), anchors, names)


@functools.cache
def glossary_in(env, builder) -> Glossary:
    """That of the book, with its links resolved."""
    return glossary_of(env.get_and_resolve_doctree(PAGE, builder))


def prose(parent, section=None):
    """Each text, formula and link that is read as prose, with its parent and its section; not titles and code.

    From above: some cells that hide their output do not know their parent.
    """
    for child in list(parent.children):
        if isinstance(child, nodes.Text | nodes.math | nodes.reference):
            yield child, parent, section
        elif not isinstance(child, SKIPPED) and (not isinstance(child, nodes.title) or isinstance(parent, nodes.table)):
            yield from prose(child, id(child) if isinstance(child, nodes.section) else section)


def put(parent, old, new):
    """Put nodes in the place of one; equal texts of a parent are not the same."""
    parent.children = [part for child in parent.children for part in (new if child is old else [child])]
    for part in new:
        parent.setup_child(part)


def join_lines(doctree):
    """Each line of a paragraph is a text of its own: make one of them, as a term may go over the end of a line."""
    for parent in list(doctree.findall(nodes.TextElement)):
        runs = itertools.groupby(parent.children, lambda child: isinstance(child, nodes.Text))
        parent.children = [part for text, run in runs for part in ([nodes.Text("".join(run))] if text else run)]
        for child in parent.children:
            parent.setup_child(child)


def link_terms(app, doctree, docname):
    """Link the first use of each term in each section of a page."""
    if docname.startswith(WITHOUT) or app.builder.name != "html" or PAGE not in app.env.found_docs:
        return
    glossary, page, seen = glossary_in(app.env, app.builder), app.builder.get_relative_uri(docname, PAGE), {}

    def link(anchors, child):
        address = {"internal": True, "refuri": f"{page}#{anchors[0]}"}
        return nodes.reference("", "", child, classes=["term", *anchors], **address)

    def new(section, anchors):
        met = seen.setdefault(section, set())
        found = [anchor for anchor in anchors if anchor not in met]
        met.update(found)
        return found

    chapters = {name.rpartition("/")[2] for name in app.env.found_docs}
    join_lines(doctree)
    for node, parent, section in prose(doctree):
        if str(node) in chapters and isinstance(parent.parent, nodes.entry):
            continue  # a cell that names a chapter
        if isinstance(node, nodes.reference):  # {term}, where the text says it in other words
            before, _, anchor = node.get("refuri", "").partition("#")
            if before == page and anchor in glossary.anchors:
                new(section, [glossary.anchors[anchor]])
                node["classes"] += ["term", glossary.anchors[anchor]]
        elif isinstance(node, nodes.math):
            if anchors := new(section, glossary.letters_in(node.astext())):
                put(parent, node, [linked := link(anchors, node.deepcopy())])
                linked["reftitle"] = ", ".join(
                    glossary.names[anchor] for anchor in anchors
                )  # a drawn formula says nothing
        else:
            parts, at = [], 0
            for match, anchor in glossary.words_in(node):
                if anchors := new(section, [anchor]):
                    parts += [nodes.Text(node[at : match.start()]), link(anchors, nodes.Text(match[0]))]
                    at = match.end()
            if parts:
                put(parent, node, [*parts, nodes.Text(node[at:])])
    if seen:
        app.env.get_domain("math").data["has_equations"][docname] = True  # the page loads MathJax, for its tips


def carry_entries(app, pagename, templatename, context, doctree):
    """Put the entries that a page uses at its end, where nobody sees them."""
    if doctree is None or app.builder.name != "html":
        return
    used = {name for link in doctree.findall(nodes.reference) if "term" in link["classes"] for name in link["classes"]}
    if used:
        found = glossary_in(app.env, app.builder).entries
        shown = [rendered(entry, app.builder) for entry in found if entry.anchors[0] in used]
        context["body"] += f'<template id="terms">{"".join(shown)}</template>'


def rendered(entry: Entry, builder) -> str:
    """An entry as HTML: its names in bold, and what they mean."""
    names, terms = nodes.strong(), [child for child in entry.item.children if isinstance(child, nodes.term)]
    for i, term in enumerate(terms):
        inner = [child.deepcopy() for child in term.children if not isinstance(child, addnodes.index)]
        names += [nodes.Text(", ")] * bool(i) + inner
    body = [child.deepcopy() for part in entry.item.children if isinstance(part, nodes.definition) for child in part]
    html = builder.render_partial(nodes.container("", nodes.paragraph("", "", names), *body))["fragment"]
    name = PAGE.split("/")[-1]
    return f'<div id="{entry.anchors[0]}">' + html.replace('href="#', f'href="{name}.html#') + "</div>"


def drop_letters(app, doctree):
    """Letters have no place in the index, where they would stand as LaTeX."""
    terms = [term for term in doctree.findall(nodes.term) if next(iter(term.findall(nodes.math)), None)]
    entries = app.env.get_domain("index").entries.get(app.env.docname, [])
    entries[:] = [entry for entry in entries if not any(entry[2] in term["ids"] for term in terms)]


def setup(app):
    app.connect("doctree-read", drop_letters)
    app.connect("doctree-resolved", link_terms, priority=700)  # after `pages`, which keeps numbers with their names
    app.connect("html-page-context", carry_entries)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
