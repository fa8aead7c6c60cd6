"""Every public name of nn, optim, data, training, drawing and files has a docstring whose example runs as printed."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import cinta as ct
from cinta import data, decoding, drawing, ensemble, files, nn, optim, text, training

MODULES = [
    importlib.import_module(info.name)
    for package in (nn, optim, data, decoding, text, training, ensemble)
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
] + [drawing, files]
PARTS = ("nn", "optim", "data", "decoding", "text", "training", "ensemble", "drawing", "files")
PUBLIC = [
    (f"{module.__name__}.{name}", thing)
    for module in (nn, nn.init, optim, optim.lr_scheduler, data, decoding, text, training, ensemble, drawing, files)
    for name, thing in vars(module).items()
    if not name.startswith("_") and (inspect.isclass(thing) or inspect.isfunction(thing))
    if thing.__module__.startswith(tuple(f"cinta.{part}" for part in PARTS))
]
SHORT = {"cinta.nn.init.zeros_", "cinta.nn.init.ones_"}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples_run(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {name: getattr(data, name) for name in data.__all__}
    found = doctest.testmod(module, extraglobs={"ct": ct, "nn": nn, "optim": optim, **names})
    assert found.failed == 0


@pytest.mark.parametrize(("name", "thing"), PUBLIC, ids=lambda value: value if isinstance(value, str) else "")
def test_docstrings_are_whole(name, thing):
    text = inspect.getdoc(thing)
    assert (text or "").split("\n")[0].endswith("."), f"{name}: the first line is one sentence"
    assert "Example:\n" in text or name in SHORT, f"{name}: no example"
    if inspect.isclass(thing):
        for method, function in vars(thing).items():
            if not method.startswith("_") and inspect.isfunction(function) and method not in ("forward", "extra_repr"):
                assert inspect.getdoc(function), f"{name}.{method}"
