"""Stable Diffusion XL on this machine, in a process of its own."""
