"""Tests of the bench, most of them against its own emitter."""
