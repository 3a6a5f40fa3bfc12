"""Planning, in plain Python and NumPy: what to compute, in which order, from where.

A built Nengo model becomes a `~.program.Program`, the program's equal operators become
groups, each group becomes a kernel (in ``nengo_dl.ops``), and the kernels' signals get
a place in memory (`~.layout.Layout`). Nothing in this folder imports TensorFlow.
"""
