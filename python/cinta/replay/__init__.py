"""The tape is the program: `ct.compile` records what a function computes and replays it without Python.

compiled    the object that `ct.compile` returns: which recording a call takes, and how one is made
reach       what code can look at besides its arguments: closures, globals, attributes, containers
captured    all that as guards: whether it is still what it was
layers      which module is being called, for the names in a program
program     a program to look at: printed, counted, timed, drawn
"""

from .compiled import PASSES, Compiled, compile
from .program import Program

__all__ = ["PASSES", "Compiled", "Program", "compile"]
