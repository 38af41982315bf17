"""What the results say: optima with their intervals, scores, predictions, and verdicts on the thesis's claims."""
