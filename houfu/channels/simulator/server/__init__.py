"""A payment channel of our own: a process with its own store that behaves well, or badly by script or by seed.

It knows nothing of the product; what both must know is how to sign.
"""
