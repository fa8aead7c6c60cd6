"""What the examples of history say, on small settings."""

from __future__ import annotations

import re

from example_runs import run


class TestHistory:
    def test_mcculloch_pitts(self, tmp_path):
        output = run("history/mcculloch_pitts.py", folder=tmp_path)
        assert re.search(r"a or b, not both +00 -> 0  01 -> 1  10 -> 1  11 -> 0", output)
        assert re.search(r"a moment of cold: .* feels cold at \[\], feels hot at \[4\]", output)

    def test_hebb(self, tmp_path):
        shares = re.findall(r"seen: +([\d.]+) %", run("history/hebb.py", folder=tmp_path))
        assert float(shares[0]) < 30 < 80 < float(shares[-1])

    def test_perceptron(self, tmp_path):
        output = run("history/perceptron.py", "--starts", 3, folder=tmp_path)
        last = dict(re.findall(r"^(\w+) +mistakes .* (\d+)\]$", output, re.MULTILINE))
        assert int(last["AND"]) == int(last["OR"]) == 0 < int(last["XOR"])
        assert int(re.search(r"solve XOR from (\d) of 3", output)[1]) > 0
        assert float(re.search(r"read digits: ([\d.]+)%", output)[1]) > 90

    def test_widrow_hoff(self, tmp_path):
        output = run("history/widrow_hoff.py", "--epochs", 3, folder=tmp_path)
        assert re.search(r"errors of 1.0 become [\d.]+e[-+]\d+", output)
        errors = [float(e) for e in re.findall(r"squared error ([\d.]+)", output)]
        assert errors[-1] < errors[1] < errors[0]

    def test_hopfield(self, tmp_path):
        output = run("history/hopfield.py", "--units", 200, folder=tmp_path)
        assert [float(share) for share in re.findall(r"([\d.]+)% after", output)] == [100.0] * 5
        left = [float(share) for share in re.findall(r"units: ([\d.]+) of each", output)]
        assert min(left[:3]) > 0.97 > 0.8 > left[-1]

    def test_restricted_boltzmann_machine(self, tmp_path):
        output = run("history/restricted_boltzmann_machine.py", "--epochs", 15, folder=tmp_path)
        first, last = map(float, re.search(r"([\d.]+) in the first epoch, ([\d.]+)", output).groups())
        assert last < 0.5 * first

    def test_deep_belief_net(self, tmp_path):
        quick = ("--seeds", 1, "--layers", 3, "--units", 64, "--pretraining", 10, "--epochs", 12, "--out", "out")
        output = run("history/deep_belief_net.py", *quick, folder=tmp_path)
        errors = {(labels, start): float(share) for labels, start, share in
                  re.findall(r"(\d+) labels +\W +(\w[\w ,-]+?) +\W +([\d.]+) %", output)}  # fmt: skip
        assert len(errors) == 8
        assert errors["1257", "pre-trained"] < 12 < 80 < errors["1257", "as before 2006"]
        assert (tmp_path / "out" / "deep_belief_net.png").stat().st_size > 30_000
