"""This folder has the rules that reach a verdict, how often each rule errs, and the list of all claims."""
