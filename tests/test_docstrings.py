"""Every public name of these packages has a docstring whose example runs as printed."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import cinta as ct
import cinta.sklearn
from cinta import (
    augment,
    data,
    debugging,
    decoding,
    drawing,
    ensemble,
    files,
    models,
    monitor,
    nn,
    optim,
    plot,
    preprocess,
    row_sparse,
    text,
    training,
)

PACKAGES = [
    nn,
    models,
    optim,
    data,
    augment,
    preprocess,
    training,
    ensemble,
    text,
    decoding,
    monitor,
    debugging,
    plot,
    cinta.sklearn,
    drawing,
    files,
    row_sparse,
]
INSIDE = [nn.init, optim.lr_scheduler]  # public packages of packages
MODULES = {
    name: importlib.import_module(name)
    for package in PACKAGES
    for name in (
        package.__name__,
        *(info.name for info in pkgutil.walk_packages(getattr(package, "__path__", ()), package.__name__ + ".")),
    )
}
PUBLIC = {
    f"{package.__name__}.{name}": thing
    for package in (*PACKAGES, *INSIDE)
    for name, thing in vars(package).items()
    if not name.startswith("_") and (inspect.isclass(thing) or inspect.isfunction(thing))
    if thing.__module__.startswith(tuple(package.__name__ for package in PACKAGES))
}
SHORT = {"cinta.nn.init.zeros_", "cinta.nn.init.ones_"}


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_examples_run(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    packages = {package.__name__.rpartition(".")[2]: package for package in (nn, optim, augment, preprocess)}
    names = {name: getattr(data, name) for name in data.__all__}
    found = doctest.testmod(module, extraglobs={"ct": ct, **packages, **names})
    assert found.failed == 0


@pytest.mark.parametrize("name", PUBLIC)
def test_docstrings_are_whole(name):
    docstring = inspect.getdoc(PUBLIC[name])
    assert (docstring or "").split("\n")[0].endswith("."), f"{name}: the first line is one sentence"
    assert "Example:\n" in docstring or name in SHORT, f"{name}: no example"
    if inspect.isclass(PUBLIC[name]):
        for method, function in vars(PUBLIC[name]).items():
            if not method.startswith("_") and inspect.isfunction(function) and method not in ("forward", "extra_repr"):
                assert inspect.getdoc(function), f"{name}.{method}"
