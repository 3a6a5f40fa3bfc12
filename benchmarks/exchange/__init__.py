"""Networks from NIR graphs, here and in the frameworks that the graphs are for."""
