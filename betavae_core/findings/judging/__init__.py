"""What stands behind verdicts: the rules, how often they err, and what the ledger lists."""
