"""This folder turns text notebooks into pages and into a PDF."""
