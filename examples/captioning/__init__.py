"""The parts of caption.py: scenes, the judge of captions, the networks, re-ranking, pages of pictures."""
