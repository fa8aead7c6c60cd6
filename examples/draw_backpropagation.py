"""Backpropagation through a sigmoid neuron as a picture: every value above its line, its gradient below it.

Source of the numbers: A. Karpathy, "Backpropagation, Intuitions", lecture notes of Stanford's CS231n.
"""

import cinta as ct

w0, x0, w1, x1, w2 = (ct.tensor(value, requires_grad=True) for value in (2.0, -1.0, -3.0, -2.0, -3.0))
f = 1 / (1 + ct.exp(-(w0 * x0 + w1 * x1 + w2)))

drawing = ct.draw(f, names={"w0": w0, "x0": x0, "w1": w1, "x1": x1, "w2": w2})
print(drawing)
drawing.save("backpropagation.svg")
print("The picture is in backpropagation.svg")
