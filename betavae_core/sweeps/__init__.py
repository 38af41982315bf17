"""Many networks: what a member is, how it is stored, and who trains what is missing."""
