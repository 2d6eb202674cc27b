"""Measures on this machine what ebtrace costs, against the budgets it is held to. Every figure is a pair: with, and without."""
