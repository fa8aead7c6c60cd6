"""The tape is the program: `ct.compile` records what a function computes and replays it without Python.

compiled    the object that `ct.compile` returns: which recording a call takes, and how one is made
reach       what code can look at besides its arguments: closures, globals, attributes, containers
captured    all that as guards: whether it is still what it was
hosts       what the host decides anew before each replay: optimizers' options and counts of steps
names       what arguments, parameters and layers are called
layers      which module is being called, for the names in a program
program     a program to look at, made of instructions: printed (listing), counted (stats), timed (profile) and drawn
            (picture)
"""

from .compiled import PASSES, Compiled, compile
from .profile import Profile
from .program import Program
from .stats import Stats

__all__ = ["PASSES", "Compiled", "Profile", "Program", "Stats", "compile"]
