"""This package builds the book, trains networks in bulk and measures speed; chapters and the core do not import it."""
