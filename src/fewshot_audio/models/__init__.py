"""Classifiers: patches of spectrograms to logits or embeddings."""
