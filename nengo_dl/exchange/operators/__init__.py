"""Layers of Keras for families of operators, whichever library they are from.

Functions take an `Emitter` and the arguments in one common form: pads in front of and
behind each axis, one number for each spatial axis. Those that are registered for the
operators of a library hand over to them.
"""
