"""Images as training takes them: factors in single precision, as arrays or tensors of any library."""

from typing import Any, NamedTuple

import numpy as np


class Images(NamedTuple):
    """Images in float32: scores (n, r), components (r, p) or None, ‖x‖² (n,); stacked, a leading axis for members."""

    scores: Any
    components: Any
    energy: Any

    def project(self, kernel):
        """X · kernel for a kernel (p, d), without forming X: (n, d)."""
        return self.scores @ (kernel if self.components is None else self.components @ kernel)

    @classmethod
    def of(cls, data) -> "Images":
        """Those of an ImageData, if they are not there yet; ‖x‖² is summed in float64, `white` with it."""
        if isinstance(data, cls):
            return data
        energy = np.einsum("np,np->n", data.standardised, data.standardised) + data.white
        parts = (part if part is None else part.astype(np.float32) for part in (*data.factors, energy))
        return cls(*parts)

    @classmethod
    def stacked(cls, data) -> "Images":
        """Those of an ImageData, or `Images`, per member, ranks padded with zeros."""
        images = [cls.of(each) for each in data]
        energy = np.stack([each.energy for each in images])
        if any(each.components is None for each in images):
            whole = [s if c is None else s @ c for s, c, _ in images]
            return cls(np.stack(whole), None, energy)
        rank = max(each.scores.shape[1] for each in images)
        scores = np.stack([np.pad(s, ((0, 0), (0, rank - s.shape[1]))) for s, _, _ in images])
        return cls(scores, np.stack([np.pad(c, ((0, rank - len(c)), (0, 0))) for _, c, _ in images]), energy)
