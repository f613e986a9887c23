"""Components for fewshot-audio."""
