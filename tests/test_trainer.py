"""The Trainer: the bits of a loop written by hand, and what is around its steps."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from cinta.data import DataLoader, TensorDataset
from cinta.training import Accuracy, BestWeights, Callback, EarlyStopping, Logger
from training_parts import Recorded, Recorder, bits, loader, net, samples, standardized, trainer

pytest.importorskip("safetensors")


class TestTheLoopWrittenByHand:
    @pytest.mark.parametrize("threads", [1, 2])
    @pytest.mark.parametrize("compiled", [False, True])
    @pytest.mark.parametrize("clip", [None, 0.5])
    def test_gives_the_same_bits(self, threads, compiled, clip):
        ct.set_num_threads(threads)
        ours = trainer(compile=compiled, clip_grad_norm=clip, metrics=[Accuracy()])
        history = ours.fit(loader(), loader(20), epochs=3)

        ct.random.seed(0)
        model, batches, losses = net(), loader(), []
        optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        for _ in range(3):
            model.train()
            total = count = 0
            for x, y in batches:
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(x), y)
                loss.backward()
                if clip:
                    optim.clip_grad_norm_(model.parameters(), clip)
                optimizer.step()
                total, count = total + loss.item() * len(x), count + len(x)
            losses.append(total / count)
            model.eval()
            with ct.no_grad():
                right = [(model(x).argmax(axis=1) == y).numpy() for x, y in loader(20)]
        assert bits(ours.model) == bits(model)
        assert [epoch["loss"] for epoch in history] == losses
        assert history[-1]["validation_accuracy"] == pytest.approx(np.concatenate(right).mean())

    def test_compiled_steps_are_recorded_once_for_each_size(self):
        ours = trainer(compile=True, metrics=[Accuracy()])
        ours.fit(loader(), loader(20), epochs=4)
        ours.fit(loader(), loader(20), epochs=1)
        assert {name: step._made for name, step in ours._steps.items()} == {"training": 2, "evaluation": 2}

    def test_options_of_compile(self):
        ours = trainer(compile={"max_recordings": 1})
        with pytest.warns(RuntimeWarning, match="keeps 1"):
            ours.fit(loader(), epochs=1)
        with pytest.raises(ValueError, match="max_recordings got 0"):
            trainer(compile={"max_recordings": 0}).fit(loader(), epochs=1)

    @pytest.mark.parametrize("compiled", [False, True])
    def test_accumulation_is_one_large_batch(self, compiled):
        def linear(accumulate):
            ct.random.seed(1)
            model = nn.Linear(4, 2).double()
            optimizer = optim.SGD(model.parameters(), lr=0.1)
            return ct.Trainer(model, optimizer, nn.MSELoss(), accumulate=accumulate, compile=compiled)

        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(22, 4)), rng.normal(size=(22, 2))
        cuts = [slice(0, 5), slice(5, 10), slice(10, 12), slice(12, 17), slice(17, 22)]
        small, large = linear(3), linear(1)
        first = small.fit([(x[cut], y[cut]) for cut in cuts], epochs=2)
        second = large.fit([(x[:12], y[:12]), (x[12:], y[12:])], epochs=2)
        assert small.step == large.step == 4
        np.testing.assert_allclose(*(each.model.state_dict()["weight"].numpy() for each in (small, large)), rtol=1e-12)
        np.testing.assert_allclose(*([epoch["loss"] for epoch in each] for each in (first, second)), rtol=1e-12)

    def test_weights_count_what_the_loss_averaged_over(self):
        """Tokens, of which batches have unequal numbers, as if all had been in one batch."""
        loss = nn.CrossEntropyLoss(ignore_index=-1)

        def valid(x, y):
            return float((y != -1).sum().item())

        def linear(accumulate):
            ct.random.seed(1)
            model = nn.Linear(4, 3).double()
            optimizer = optim.SGD(model.parameters(), lr=0.1)
            return ct.Trainer(model, optimizer, loss, accumulate=accumulate, weight=valid)

        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(12, 4)), rng.integers(0, 3, 12)
        y[[1, 2, 3, 7]] = -1
        small, large = linear(2), linear(1)
        first = small.fit([(x[:4], y[:4]), (x[4:], y[4:])])
        second = large.fit([(x, y)])
        np.testing.assert_allclose(*(each.model.state_dict()["weight"].numpy() for each in (small, large)), rtol=1e-12)
        assert first[0]["loss"] == pytest.approx(second[0]["loss"], rel=1e-12)
        parts = small.evaluate([(x[:4], y[:4]), (x[4:], y[4:])])
        assert parts["loss"] == pytest.approx(small.evaluate([(x, y)])["loss"], rel=1e-12)


class TestModes:
    def test_evaluation_leaves_every_module_in_its_mode_and_no_gradients(self):
        ours = trainer()
        ours.model[1].eval()  # a batch norm whose statistics are frozen
        before, random_state = bits(ours.model), ct.random.get_state()
        first = ours.evaluate(loader())
        assert first == ours.evaluate(loader())
        assert bits(ours.model) == before
        assert ct.random.get_state() == random_state, "dropout was on"
        assert [module.training for module in ours.model] == [i != 1 for i in range(9)]
        assert ours.model.training
        assert all(param.grad is None for param in ours.model.parameters())
        assert not ours.predict(samples()[0]).requires_grad

    def test_training_respects_what_was_frozen_and_gives_back_the_mode(self):
        ours = trainer()
        ours.model[1].eval()
        frozen = ours.model[1].running_mean.numpy().copy()
        ours.fit(loader())
        np.testing.assert_array_equal(ours.model[1].running_mean.numpy(), frozen)
        ours.model.eval()
        seen = []

        class Look(Callback):
            def on_batch_end(self, trainer):
                seen.append(trainer.model.training)

        ours.callbacks.append(Look())
        ours.fit(loader())
        assert seen == [True] * 5
        assert not ours.model.training

    def test_modes_come_back_after_an_error(self):
        ours = trainer()
        with pytest.raises(ValueError, match="nine"):
            ours.evaluate(_raising("nine"))
        assert all(module.training for module in ours.model.modules())
        assert ct.is_grad_enabled()

    @pytest.mark.parametrize("compiled", [False, True])
    def test_predictions(self, compiled):
        ours = trainer(compile=compiled, preprocessing=standardized())
        x = samples()[0]
        ours.model.eval()
        with ct.no_grad():
            wanted = ours.model(ours.preprocessing(ct.tensor(x))).numpy()
        for data in (x, ct.tensor(x), x.astype(np.float64), [x[:50], x[50:]], [(x, samples()[1])], iter([x])):
            got = ours.predict(data, batch_size=30)
            assert str(got.dtype) == "float32"
            np.testing.assert_allclose(got.numpy(), wanted, atol=1e-6)
        assert ours.predict(x[:0]).shape == (0, 3)


def _raising(text):
    yield from ()
    raise ValueError(text)


class Rows(Logger):
    def __init__(self):
        self.rows, self.closed = [], 0

    def log(self, step, values):
        assert all(isinstance(value, (int, float)) for value in values.values())
        self.rows.append((step, *values))

    def close(self):
        self.closed += 1


class TestWhatIsAroundAStep:
    @pytest.mark.parametrize("compiled", [False, True])
    def test_callbacks_and_loggers(self, compiled):
        recorder, rows = Recorder(), Rows()
        trainer(callbacks=[recorder, object()], loggers=[rows], compile=compiled).fit(loader(), epochs=2, log_every=4)
        epochs = ["epoch 0", 1, 2, 3, 4, 5, "end 1 of 1", "epoch 1", 6, 7, 8, 9, 10, "end 2 of 2"]
        assert recorder.events == ["fit start", *epochs, "fit end"]
        steps = [
            (4, "step_loss", "lr"),
            (5, "epoch", "lr", "loss"),
            (8, "step_loss", "lr"),
            (10, "epoch", "lr", "loss"),
        ]
        assert rows.rows == steps
        assert rows.closed == 1

    def test_schedulers_by_epoch_get_the_number_watched(self):
        ours = trainer()
        ours.scheduler = Recorded(ours.optimizer)
        history = ours.fit(loader(), loader(20), epochs=2)
        assert ours.scheduler.metrics == [epoch["validation_loss"] for epoch in history]
        assert [epoch["lr"] for epoch in history] == pytest.approx([0.05, 0.045])
        ours.fit(loader())
        assert ours.scheduler.metrics[2] == ours.history[2]["loss"]

    def test_schedulers_by_step(self):
        ours = trainer(scheduler_interval="step")
        ours.scheduler = Recorded(ours.optimizer)
        ours.fit(loader())
        assert ours.scheduler.metrics == [None] * 5

    def test_a_scheduler_that_has_come_to_its_end_ends_the_training(self):
        ours = trainer()
        ours.scheduler = Recorded(ours.optimizer)
        ours.scheduler.stopped = True
        assert len(ours.fit(loader(), epochs=5)) == 1
        assert ours.stop_reason == "the scheduler has come to its end"

    def test_early_stopping_and_the_best_weights(self):
        losses = iter([0.5, 0.4, 0.45, 0.39995, 0.42, 0.41])
        ours = trainer(
            callbacks=[EarlyStopping(patience=3, min_delta=0.001), BestWeights()], metrics={"m": lambda o, t: 0}
        )
        ours._monitor, snapshots = "m", []

        class Losses(Callback):
            def on_epoch_end(self, trainer):
                trainer.history[-1]["m"] = next(losses)
                snapshots.append(bits(trainer.model))

        ours.callbacks.insert(0, Losses())
        assert len(ours.fit(loader(), epochs=9)) == 5
        assert ours.stop_reason == "no better m in 3 epochs"
        assert bits(ours.model) == snapshots[3]

    def test_more_may_be_better(self):
        ours = trainer(metrics=[Accuracy()], monitor="validation_accuracy", mode="max", callbacks=[BestWeights()])
        history = ours.fit(loader(), loader(30), epochs=4)
        best = max(epoch["validation_accuracy"] for epoch in history)
        assert ours.evaluate(loader(30))["accuracy"] == best

    def test_a_callback_may_stop_in_mid_epoch(self):
        class Stop(Callback):
            def on_batch_end(self, trainer):
                if trainer.step == 7:
                    trainer.stop("seven")

        ours = trainer(callbacks=[Stop()])
        assert len(ours.fit(loader(), epochs=3)) == 1
        assert (ours.step, ours.stop_reason) == (7, "seven")

    def test_callbacks_end_after_an_error_too(self):
        recorder, rows = Recorder(), Rows()

        class Fail(Callback):
            def on_batch_end(self, trainer):
                raise RuntimeError("planted")

        with pytest.raises(RuntimeError, match="planted"):
            trainer(callbacks=[recorder, Fail()], loggers=[rows]).fit(loader())
        assert recorder.events == ["fit start", "epoch 0", 1, "fit end"]
        assert rows.closed == 1

    def test_fit_goes_on(self):
        ours, whole = trainer(), trainer()
        whole.fit(loader(), epochs=3)
        ct.random.seed(0)
        ours = trainer()
        batches = loader()
        ours.fit(batches, epochs=1)
        assert len(ours.fit(batches, epochs=2)) == 3
        assert bits(ours.model) == bits(whole.model)


class TestArguments:
    @pytest.mark.parametrize(
        ("options", "kind", "message"),
        [
            ({"accumulate": 0}, ValueError, "accumulate got 0, expected an int of at least 1"),
            ({"clip_grad_norm": 0.0}, ValueError, "clip_grad_norm got 0.0, expected > 0"),
            ({"mode": "least"}, ValueError, "mode got 'least'"),
            ({"scheduler_interval": "day"}, ValueError, "scheduler_interval got 'day'"),
            ({"metrics": [3]}, TypeError, "metrics got 3"),
            ({"metrics": [Accuracy(), Accuracy()]}, ValueError, r"expected each of \['accuracy'\] once"),
        ],
    )
    def test_of_the_trainer(self, options, kind, message):
        with pytest.raises(kind, match=rf"\[Trainer\] .*{message}"):
            trainer(**options)

    def test_objects_of_another_kind(self):
        model = net()
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        for arguments, message in (
            ((3, optimizer, nn.MSELoss()), "model got a int"),
            ((model, model, nn.MSELoss()), "optimizer got a Sequential"),
            ((model, optimizer, nn.MSELoss), "loss got <class"),
        ):
            with pytest.raises(TypeError, match=message):
                ct.Trainer(*arguments)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"epochs": 0}, "epochs got 0, expected an int of at least 1"),
            ({"batch_size": 0}, "batch_size got 0"),
            ({"save_every": 0}, "save_every got 0"),
            ({"random": ["torch"]}, "random got 'torch', expected some of"),
            ({"save_every": 5}, "checkpoint got None, expected a path"),
            ({"resume": True}, "checkpoint got None, expected a path"),
        ],
    )
    def test_of_fit(self, options, message):
        with pytest.raises(ValueError, match=rf"\[fit\] {message}"):
            trainer().fit(loader(), **options)

    def test_data_of_another_kind(self):
        x, y = samples()
        for data, kind, message in (
            (x, TypeError, "train got a ndarray, expected a pair of arrays"),
            (3, TypeError, "train got a int"),
            (iter([(x, y)]), TypeError, "gives its batches once only"),
            ([], ValueError, "train gave no batches"),
            ([x], ValueError, "got a batch of ndarray, expected a pair"),
            ([(x, y, y)], ValueError, "got a batch of tuple, expected a pair"),
        ):
            with pytest.raises(kind, match=message):
                trainer().fit(data)
        with pytest.raises(ValueError, match="data gave no samples"):
            trainer().evaluate([])
        with pytest.raises(ValueError, match="data gave no batches"):
            trainer().predict([])

    def test_what_is_watched_is_known_before_a_step(self):
        ours = trainer(monitor="validation_loss")
        with pytest.raises(ValueError, match=r"monitor got 'validation_loss', expected one of \['loss'\]"):
            ours.fit(loader())
        assert ours.step == 0

    def test_progress_without_rich(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "rich", None)
        monkeypatch.setitem(sys.modules, "rich.console", None)
        trainer().fit(loader())
        with pytest.raises(ModuleNotFoundError, match=r'pip install "cinta\[training\]"'):
            trainer(progress=True).fit(loader())

    def test_is_quiet_without_a_terminal_and_shows_a_line_where_asked(self, capsys):
        trainer().fit(loader())
        assert capsys.readouterr() == ("", "")
        trainer(progress=True).fit(loader(), loader(20), epochs=2)
        shown = capsys.readouterr().out
        assert "epoch 2/2" in shown
        assert "validation_loss" in shown


class TestArrays:
    def test_a_pair_of_arrays_is_a_data_loader(self):
        x, y = samples()
        ours = trainer()
        ours.fit((x.astype(np.float64), y), (x[:20], y[:20]), epochs=2, batch_size=16)
        by_hand = trainer()
        batches = DataLoader(TensorDataset(ct.tensor(x), ct.tensor(y)), batch_size=16, shuffle=True)
        by_hand.fit(batches, epochs=2)
        assert bits(ours.model) == bits(by_hand.model)
