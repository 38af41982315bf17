"""What one trained network is, which are wanted, how one is trained and evaluated, and where its numbers are kept."""
