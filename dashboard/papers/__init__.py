"""Papers of views and agendas: PDF, slides and pictures, made here without a browser and without a network.

What they show is read from the same components as the page (`content`), so that paper and screen cannot disagree.
"""
