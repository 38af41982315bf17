"""This folder says what one network is, which networks are wanted, and where the numbers of each are kept."""
