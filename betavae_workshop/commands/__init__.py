"""This folder has the command line: one thin function for each verb, which imports what it needs when it runs."""
