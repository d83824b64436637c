"""Commands of `error-visualization` that have no package of their own."""
