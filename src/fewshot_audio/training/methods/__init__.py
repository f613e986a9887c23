"""How networks are trained: supervised, with several labels per clip, prototypical."""
