"""How fast training is, beside other libraries and on a GPU."""
