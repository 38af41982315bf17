"""From text notebooks to pages: parameters, execution, rendering, print."""
