"""The mathematics, networks and figures behind the β-VAE thesis companion.

Import the module that you need (`from betavae_core.theory import linear`): the package itself
loads nothing, so that command lines answer at once.
"""

__version__ = "0.1.0"
