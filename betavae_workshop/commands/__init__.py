"""What the command line does: one thin function per verb, each importing what it needs when it runs."""
