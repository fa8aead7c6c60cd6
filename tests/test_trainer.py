"""The Trainer: the bits of a loop written by hand, whatever stops it and takes it up again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from cinta.training import Accuracy, BestWeights, Callback, EarlyStopping, Logger

pytest.importorskip("safetensors")


def net(classes=3):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.2),
        nn.Linear(4 * 3 * 3, 16), nn.Tanh(), nn.Linear(16, classes),
    )  # fmt: skip


class Shuffled:
    """Batches in an order drawn by epoch; a loaded one goes on with the very next batch."""

    def __init__(self, n=70, size=16, seed=5):
        rng = np.random.default_rng(2)
        self.x, self.y = rng.normal(size=(n, 1, 8, 8)).astype(np.float32), rng.integers(0, 3, n)
        self.size, self.seed, self.epoch, self.at = size, seed, 0, 0

    def __len__(self):
        return -(-len(self.x) // self.size)

    def __iter__(self):
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.x))
        while self.at < len(self):
            chosen = order[self.at * self.size : (self.at + 1) * self.size]
            self.at += 1
            yield ct.tensor(self.x[chosen]), ct.tensor(self.y[chosen])
        self.at, self.epoch = 0, self.epoch + 1

    def state_dict(self):
        return {"epoch": self.epoch, "at": self.at}

    def load_state_dict(self, state):
        self.epoch, self.at = state["epoch"], state["at"]


class Drawn:
    """Batches in an order drawn from the global streams, with noise on them: no state of its own."""

    def __init__(self, data):
        self.data = data

    def __iter__(self):
        order = ct.random.permutation(len(self.data.x)).numpy()
        for start in range(0, len(order), 16):
            chosen = order[start : start + 16]
            noise = ct.random.normal(0.0, 0.1, (len(chosen), 1, 8, 8)) + float(np.random.rand())  # noqa: NPY002
            yield ct.tensor(self.data.x[chosen]) + noise, ct.tensor(self.data.y[chosen])


class Exponential:
    def __init__(self, optimizer, gamma=0.9):
        self.optimizer, self.gamma, self.metrics = optimizer, gamma, []

    def step(self, metric=None):
        self.metrics.append(metric)
        self.optimizer.param_groups[0]["lr"] *= self.gamma

    def state_dict(self):
        return {"metrics": self.metrics}

    def load_state_dict(self, state):
        self.metrics = state["metrics"]


class Scale:
    """Preprocessing: fitted, saved, applied."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def __call__(self, x):
        return x * self.factor

    def state_dict(self):
        return {"factor": self.factor}

    def load_state_dict(self, state):
        self.factor = state["factor"]


def trainer(seed=0, **options):
    ct.random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    return ct.Trainer(model, optimizer, nn.CrossEntropyLoss(), **options)


def bits(*models):
    return [tensor.numpy().tobytes() for model in models for tensor in model.state_dict().values()]


class TestTheLoopWrittenByHand:
    @pytest.mark.parametrize("threads", [1, 2])
    @pytest.mark.parametrize("compiled", [False, True])
    @pytest.mark.parametrize("clip", [None, 0.5])
    def test_gives_the_same_bits(self, threads, compiled, clip):
        ct.set_num_threads(threads)
        ours = trainer(compile=compiled, clip_grad_norm=clip, metrics=[Accuracy()])
        history = ours.fit(Shuffled(), Shuffled(n=20), epochs=3)

        ct.random.seed(0)
        model, loader, losses = net(), Shuffled(), []
        optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        for _ in range(3):
            model.train()
            total = count = 0
            for x, y in loader:
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
                right = [(model(x).argmax(axis=1) == y).numpy() for x, y in Shuffled(n=20)]
        assert bits(ours.model) == bits(model)
        assert [epoch["loss"] for epoch in history] == losses
        assert history[-1]["validation_accuracy"] == pytest.approx(np.concatenate(right).mean())

    def test_compiled_steps_are_recorded_once_for_each_size(self):
        ours = trainer(compile=True, metrics=[Accuracy()])
        ours.fit(Shuffled(), Shuffled(n=20), epochs=4)
        ours.fit(Shuffled(), Shuffled(n=20), epochs=1)
        assert {name: step._made for name, step in ours._steps.items()} == {"training": 2, "evaluation": 2}

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
        first = ours.evaluate(Shuffled())
        assert first == ours.evaluate(Shuffled())
        assert bits(ours.model) == before
        assert ct.random.get_state() == random_state, "dropout was on"
        assert [module.training for module in ours.model] == [i != 1 for i in range(9)]
        assert ours.model.training
        assert all(param.grad is None for param in ours.model.parameters())
        assert not ours.predict(Shuffled().x).requires_grad

    def test_training_respects_what_was_frozen_and_gives_back_the_mode(self):
        ours = trainer()
        ours.model[1].eval()
        frozen = ours.model[1].running_mean.numpy().copy()
        ours.fit(Shuffled())
        np.testing.assert_array_equal(ours.model[1].running_mean.numpy(), frozen)
        ours.model.eval()
        seen = []

        class Look(Callback):
            def on_batch_end(self, trainer):
                seen.append(trainer.model.training)

        ours.callbacks.append(Look())
        ours.fit(Shuffled())
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
        ours = trainer(compile=compiled, preprocessing=Scale(0.5))
        x = Shuffled().x
        ours.model.eval()
        with ct.no_grad():
            wanted = ours.model(ct.tensor(x * 0.5)).numpy()
        for data in (x, ct.tensor(x), x.astype(np.float64), [x[:50], x[50:]], [(x, Shuffled().y)], iter([x])):
            got = ours.predict(data, batch_size=30)
            assert str(got.dtype) == "float32"
            np.testing.assert_allclose(got.numpy(), wanted, atol=1e-6)
        assert ours.predict(x[:0]).shape == (0, 3)


def _raising(text):
    yield from ()
    raise ValueError(text)


class Recorder(Callback):
    def __init__(self):
        self.events = []

    def on_fit_start(self, trainer):
        self.events.append("fit start")

    def on_epoch_start(self, trainer):
        self.events.append(f"epoch {trainer.epoch}")

    def on_batch_start(self, trainer):
        x, y = trainer.batch
        assert len(x) == len(y)

    def on_batch_end(self, trainer):
        assert trainer.loss > 0
        assert all(param.grad is not None for param in trainer.model.parameters())
        self.events.append(trainer.step)

    def on_epoch_end(self, trainer):
        self.events.append(f"end {trainer.epoch} of {len(trainer.history)}")

    def on_fit_end(self, trainer):
        self.events.append("fit end")


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
        trainer(callbacks=[recorder, object()], loggers=[rows], compile=compiled).fit(Shuffled(), epochs=2, log_every=4)
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
        ours.scheduler = Exponential(ours.optimizer)
        history = ours.fit(Shuffled(), Shuffled(n=20), epochs=2)
        assert ours.scheduler.metrics == [epoch["validation_loss"] for epoch in history]
        assert [epoch["lr"] for epoch in history] == pytest.approx([0.05, 0.045])
        ours.fit(Shuffled())
        assert ours.scheduler.metrics[2] == ours.history[2]["loss"]

    def test_schedulers_by_step(self):
        ours = trainer(scheduler_interval="step")
        ours.scheduler = Exponential(ours.optimizer)
        ours.fit(Shuffled())
        assert ours.scheduler.metrics == [None] * 5

    def test_a_scheduler_that_has_come_to_its_end_ends_the_training(self):
        ours = trainer()
        ours.scheduler = Exponential(ours.optimizer)
        ours.scheduler.stopped = True
        assert len(ours.fit(Shuffled(), epochs=5)) == 1
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
        assert len(ours.fit(Shuffled(), epochs=9)) == 5
        assert ours.stop_reason == "no better m in 3 epochs"
        assert bits(ours.model) == snapshots[3]

    def test_more_may_be_better(self):
        ours = trainer(metrics=[Accuracy()], monitor="validation_accuracy", mode="max", callbacks=[BestWeights()])
        history = ours.fit(Shuffled(), Shuffled(n=30), epochs=4)
        best = max(epoch["validation_accuracy"] for epoch in history)
        assert ours.evaluate(Shuffled(n=30))["accuracy"] == best

    def test_a_callback_may_stop_in_mid_epoch(self):
        class Stop(Callback):
            def on_batch_end(self, trainer):
                if trainer.step == 7:
                    trainer.stop("seven")

        ours = trainer(callbacks=[Stop()])
        assert len(ours.fit(Shuffled(), epochs=3)) == 1
        assert (ours.step, ours.stop_reason) == (7, "seven")

    def test_callbacks_end_after_an_error_too(self):
        recorder, rows = Recorder(), Rows()

        class Fail(Callback):
            def on_batch_end(self, trainer):
                raise RuntimeError("planted")

        with pytest.raises(RuntimeError, match="planted"):
            trainer(callbacks=[recorder, Fail()], loggers=[rows]).fit(Shuffled())
        assert recorder.events == ["fit start", "epoch 0", 1, "fit end"]
        assert rows.closed == 1

    def test_fit_goes_on(self):
        ours, whole = trainer(), trainer()
        whole.fit(Shuffled(), epochs=3)
        ct.random.seed(0)
        ours = trainer()
        loader = Shuffled()
        ours.fit(loader, epochs=1)
        assert len(ours.fit(loader, epochs=2)) == 3
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
            trainer().fit(Shuffled(), **options)

    def test_data_of_another_kind(self):
        x, y = Shuffled().x, Shuffled().y
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
            ours.fit(Shuffled())
        assert ours.step == 0

    def test_progress_without_rich(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "rich", None)
        monkeypatch.setitem(sys.modules, "rich.console", None)
        trainer().fit(Shuffled())
        with pytest.raises(ModuleNotFoundError, match=r'pip install "cinta\[training\]"'):
            trainer(progress=True).fit(Shuffled())

    def test_is_quiet_without_a_terminal_and_shows_a_line_where_asked(self, capsys):
        trainer().fit(Shuffled())
        assert capsys.readouterr() == ("", "")
        trainer(progress=True).fit(Shuffled(), Shuffled(n=20), epochs=2)
        shown = capsys.readouterr().out
        assert "epoch 2/2" in shown
        assert "validation_loss" in shown


class TestResume:
    @pytest.mark.parametrize("compiled", [False, True])
    @pytest.mark.parametrize("source", ["loader", "list", "drawn"])
    @pytest.mark.parametrize("stop", [2, 5, 7])
    def test_a_stopped_training_ends_with_the_bits_of_a_whole_one(self, tmp_path, source, stop, compiled):
        def made(at=None):
            class Stop(Callback):
                def on_batch_end(self, trainer):
                    if trainer.step == at:
                        os.kill(os.getpid(), signal.SIGINT)

            ours = trainer(
                compile=compiled,
                metrics=[Accuracy()],
                preprocessing=Scale(0.5),
                callbacks=[EarlyStopping(patience=50), BestWeights(), Stop()],
            )
            ours.scheduler = Exponential(ours.optimizer)
            data = Shuffled()
            return ours, {"loader": data, "list": list(data), "drawn": Drawn(data)}[source]

        streams = ("cinta", "numpy")
        ours, data = made()
        ours.fit(data, Shuffled(n=20), epochs=3, checkpoint=tmp_path / "whole.safetensors", random=streams)
        ours, data = made(at=stop)
        path = tmp_path / "half.safetensors"
        assert len(ours.fit(data, Shuffled(n=20), epochs=3, checkpoint=path, random=streams)) == (
            stop // 5 if hasattr(data, "__len__") else (stop - 1) // 5
        )
        assert (ours.stop_reason, ours.step) == ("interrupted", stop)
        again, data = made()
        again.model.load_state_dict({name: 0 * each for name, each in again.model.state_dict().items()})
        again.preprocessing.factor = 9.0
        np.random.seed(77)  # noqa: NPY002
        history = again.fit(data, Shuffled(n=20), epochs=3, checkpoint=path, resume=True, random=streams)
        assert again.stop_reason is None
        assert len(history) == 3
        assert path.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()

    def test_saves_on_the_way_and_keeps_the_best(self, tmp_path):
        path = tmp_path / "runs" / "net.safetensors"
        trainer().fit(Shuffled(), epochs=4, checkpoint=path, save_every=2, keep=2)
        names = sorted(file.name for file in path.parent.iterdir())
        assert names[-2:] == ["net-00000018.safetensors", "net-00000020.safetensors"]
        assert len(names) == 2 + (ct.best_checkpoint(path).name not in names[-2:])
        ours = trainer(seed=1)
        with pytest.raises(ValueError, match="holds step 20 of net.safetensors"):
            ours.fit(Shuffled(), checkpoint=path, keep=2)
        assert ours.step == 0
        ours.fit(Shuffled(), epochs=5, checkpoint=path, keep=2, resume=True)
        assert (ours.epoch, ours.step) == (5, 25)

    def test_a_finished_training_stays_finished(self, tmp_path):
        path = tmp_path / "net.safetensors"
        losses = [EarlyStopping(patience=1, min_delta=100)]
        first = trainer(callbacks=losses)
        assert len(first.fit(Shuffled(), epochs=9, checkpoint=path)) == 2
        again = trainer(seed=3, callbacks=[EarlyStopping(patience=1, min_delta=100)])
        assert len(again.fit(Shuffled(), epochs=9, resume=path)) == 2
        assert again.stop_reason == first.stop_reason == "no better loss in 1 epochs"
        assert bits(again.model) == bits(first.model)

    def test_a_checkpoint_that_does_not_fit_changes_nothing(self, tmp_path):
        path = tmp_path / "net.safetensors"
        trainer(metrics=[Accuracy()]).fit(Shuffled(), checkpoint=path)
        x, y = Shuffled().x, Shuffled().y
        for options, data, message in (
            ({}, Shuffled(), "does not fit trainer: .* metrics got those of a training with"),
            ({"metrics": [Accuracy()]}, [(x, y)], "holds the states of .*'loader'"),
            ({"metrics": [Accuracy()], "preprocessing": Scale()}, Shuffled(), "expected .*'preprocessing'"),
            ({"metrics": [Accuracy()], "callbacks": [BestWeights()]}, Shuffled(), "another structure .* callbacks"),
        ):
            ours = trainer(seed=1, **options)
            before, state = bits(ours.model), ct.random.get_state()
            with pytest.raises(ValueError, match=rf"net\.safetensors .*{message}"):
                ours.fit(data, resume=path)
            assert bits(ours.model) == before
            assert ct.random.get_state() == state
            assert (ours.step, ours.history) == (0, [])
        with pytest.raises(FileNotFoundError, match="none.safetensors, where there is no checkpoint"):
            trainer().fit(Shuffled(), resume=tmp_path / "none.safetensors")

    def test_the_weights_alone_for_prediction(self, tmp_path):
        ours = trainer(preprocessing=Scale(0.5))
        ours.fit(Shuffled(), checkpoint=tmp_path / "net.safetensors")
        model, scale = net(), Scale()
        ct.load_checkpoint(tmp_path / "net.safetensors", model=model, preprocessing=scale, random=False)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        again = ct.Trainer(model, optimizer, nn.CrossEntropyLoss(), preprocessing=scale)
        x = Shuffled().x
        assert again.predict(x).numpy().tobytes() == ours.predict(x).numpy().tobytes()


class TestInterrupt:
    def test_the_second_ctrl_c_stops_at_once(self):
        class Twice(Callback):
            def on_batch_end(self, trainer):
                for _ in range(2):
                    os.kill(os.getpid(), signal.SIGINT)

        recorder, before = Recorder(), signal.getsignal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            trainer(callbacks=[recorder, Twice()]).fit(Shuffled())
        assert recorder.events[-1] == "fit end"
        assert signal.getsignal(signal.SIGINT) is before

    def test_in_a_thread_signals_are_left_alone(self):
        done = []
        before = signal.getsignal(signal.SIGINT)
        thread = threading.Thread(target=lambda: done.append(len(trainer().fit(Shuffled()))))
        thread.start()
        thread.join()
        assert done == [1]
        assert signal.getsignal(signal.SIGINT) is before

    def test_a_script_that_is_interrupted_saves_and_ends_well(self, tmp_path):
        script = """
            import time
            import cinta as ct
            from cinta import nn, optim
            model = nn.Linear(4, 2)
            class Slow(ct.training.Callback):
                def on_batch_end(self, trainer):
                    if trainer.step == 3:
                        print("ready", flush=True)
                    time.sleep(0.02)
            trainer = ct.Trainer(model, optim.SGD(model.parameters(), lr=0.1), nn.MSELoss(), callbacks=[Slow()])
            batches = [(ct.ones((3, 4)), ct.zeros((3, 2)))] * 500
            trainer.fit(batches, epochs=100, checkpoint="net.safetensors")
            print(trainer.stop_reason, trainer.step)
        """
        command = [sys.executable, "-c", textwrap.dedent(script)]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        reason, step = process.stdout.readline().split()
        assert process.wait() == 0
        assert reason == "interrupted"
        loaded = ct.load_checkpoint(tmp_path / "net.safetensors")
        assert loaded["step"] == int(step) == loaded["trainer"]["counts"]["batch"]


class TestArrays:
    def test_a_pair_of_arrays_is_a_data_loader(self):
        from cinta.data import DataLoader, TensorDataset

        data = Shuffled()
        ours = trainer()
        ours.fit((data.x.astype(np.float64), data.y), (data.x[:20], data.y[:20]), epochs=2, batch_size=16)
        by_hand = trainer()
        loader = DataLoader(TensorDataset(ct.tensor(data.x), ct.tensor(data.y)), batch_size=16, shuffle=True)
        by_hand.fit(loader, epochs=2)
        assert bits(ours.model) == bits(by_hand.model)

    def test_resume_in_mid_epoch(self, tmp_path):
        data = Shuffled()
        whole = trainer()
        whole.fit((data.x, data.y), epochs=2, batch_size=16)

        class Stop(Callback):
            def on_batch_end(self, trainer):
                if trainer.step == 7:
                    os.kill(os.getpid(), signal.SIGINT)

        path = tmp_path / "net.safetensors"
        trainer(callbacks=[Stop()]).fit((data.x, data.y), epochs=2, batch_size=16, checkpoint=path)
        again = trainer(seed=9)
        again.fit((data.x, data.y), epochs=2, batch_size=16, resume=path)
        assert bits(again.model) == bits(whole.model)
