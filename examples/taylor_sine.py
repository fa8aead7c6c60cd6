"""The derivative of a Taylor series of the sine that a Python `while` loop builds: about cos(pi) = -1."""

import cinta.numpy as np
from cinta import grad


def taylor_sine(x):  # Taylor approximation to sine function
    ans = currterm = x
    i = 0
    while np.abs(currterm) > 0.001:
        currterm = -currterm * x**2 / ((2 * i + 3) * (2 * i + 2))
        ans = ans + currterm
        i += 1
    return ans


grad_sine = grad(taylor_sine)
print("Gradient of sin(pi) is", grad_sine(np.pi))
