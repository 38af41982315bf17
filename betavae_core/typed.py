"""Numbers as people type them: one rule for parameters, options and lists, whatever Python itself would take."""

import re

NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"


def number(text: str) -> float:
    """A decimal number in plain digits, or inf or nan, which a range then refuses; ValueError for any other text.

    >>> number("1e-3"), number("-.5")
    (0.001, -0.5)
    """
    if re.fullmatch(f"{NUMBER}|[+-]?(inf|nan)", text.strip(), re.ASCII):
        return float(text)
    raise ValueError(f"must be a number; got {text!r}")


def whole(text: str) -> int:
    """A whole number in plain digits; ValueError for any other text, such as 0x10, 1_000 or 1.0."""
    if re.fullmatch(r"[+-]?\d+", text.strip(), re.ASCII):
        return int(text)
    raise ValueError(f"must be a whole number; got {text!r}")
