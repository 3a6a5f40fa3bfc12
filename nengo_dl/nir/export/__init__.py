"""Nengo networks as NIR graphs.

``same`` makes the graph again that a network was read from. Any other network is read
by ``links`` (which linear map each connection is), laid out by ``layouts`` (channels
come first in NIR, and last in Keras), written by ``network`` into a ``writer``'s draft,
and tidied up by ``tidy``.
"""
