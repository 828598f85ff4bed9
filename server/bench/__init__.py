"""The engine's own benchmark: ratios taken in one run, each side by side with its rival."""
