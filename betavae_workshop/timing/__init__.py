"""This folder measures how fast training is, beside other libraries and on a GPU."""
