"""This folder has the rules that reach a verdict, and the list of all claims."""
