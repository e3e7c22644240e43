"""Faces compared, as one way of proving anew who somebody is (S8). No photo and no vector is kept."""
