"""Trainings that are stopped, by Ctrl-C or by themselves, and taken up again."""

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
from cinta.text import Vocabulary
from cinta.training import Accuracy, BestWeights, Callback, EarlyStopping
from training_parts import Drawn, Recorded, Recorder, bits, loader, net, samples, standardized, trainer

pytest.importorskip("safetensors")


class TestParts:
    def test_are_in_checkpoints_and_filled_again(self, tmp_path):
        path = tmp_path / "net.safetensors"
        parts = {"vocabulary": Vocabulary(["a", "b"]), "hidden": 16}
        trainer(parts=parts).fit(loader(), epochs=1, checkpoint=path)
        found = ct.load_checkpoint(path, random=False)
        assert found["hidden"] == 16
        assert found["vocabulary"]["tokens"] == ["a", "b"]
        empty = Vocabulary()
        trainer(parts={"vocabulary": empty, "hidden": 3}).fit(loader(), epochs=2, checkpoint=path, resume=True)
        assert empty.tokens[-2:] == ["a", "b"]
        with pytest.raises(ValueError, match=r"holds states of .*vocabulary.*, expected \["):
            trainer().fit(loader(), epochs=2, resume=path)

    def test_may_not_have_the_trainers_own_names(self):
        with pytest.raises(ValueError, match=r"\[fit\] parts got the names \['model'\]"):
            trainer(parts={"model": 3}).fit(loader(), epochs=1)


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
                preprocessing=standardized(),
                callbacks=[EarlyStopping(patience=50), BestWeights(), Stop()],
            )
            ours.scheduler = Recorded(ours.optimizer)
            return ours, {"loader": loader, "list": lambda: list(loader()), "drawn": Drawn}[source]()

        streams = ("cinta", "numpy")
        ours, data = made()
        ours.fit(data, loader(20), epochs=3, checkpoint=tmp_path / "whole.safetensors", random=streams)
        ours, data = made(at=stop)
        path = tmp_path / "half.safetensors"
        assert len(ours.fit(data, loader(20), epochs=3, checkpoint=path, random=streams)) == (
            stop // 5 if hasattr(data, "__len__") else (stop - 1) // 5
        )
        assert (ours.stop_reason, ours.step) == ("interrupted", stop)
        again, data = made()
        again.model.load_state_dict({name: 0 * each for name, each in again.model.state_dict().items()})
        again.preprocessing = standardized(9.0)
        np.random.seed(77)  # noqa: NPY002
        history = again.fit(data, loader(20), epochs=3, checkpoint=path, resume=True, random=streams)
        assert again.stop_reason is None
        assert len(history) == 3
        assert path.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()

    def test_saves_on_the_way_and_keeps_the_best(self, tmp_path):
        path = tmp_path / "runs" / "net.safetensors"
        trainer().fit(loader(), epochs=4, checkpoint=path, save_every=2, keep=2)
        names = sorted(file.name for file in path.parent.iterdir())
        assert names[-2:] == ["net-00000018.safetensors", "net-00000020.safetensors"]
        assert len(names) == 2 + (ct.best_checkpoint(path).name not in names[-2:])
        ours = trainer(seed=1)
        with pytest.raises(ValueError, match="holds step 20 of net.safetensors"):
            ours.fit(loader(), checkpoint=path, keep=2)
        assert ours.step == 0
        ours.fit(loader(), epochs=5, checkpoint=path, keep=2, resume=True)
        assert (ours.epoch, ours.step) == (5, 25)

    def test_a_single_file_and_a_series_are_told_apart(self, tmp_path):
        path = tmp_path / "net.safetensors"
        batches = loader()
        series = trainer()
        series.fit(batches, epochs=2, checkpoint=path, keep=2)
        series.fit(batches, epochs=1, checkpoint=path)
        for keep, step in ((None, 15), (2, 10)):
            again = trainer(seed=1)
            again.fit(loader(), checkpoint=path, keep=keep, resume=True)
            assert again.history[-1]["step"] == (15 if keep is None else 10), (keep, step)

    def test_a_finished_training_stays_finished(self, tmp_path):
        path = tmp_path / "net.safetensors"
        losses = [EarlyStopping(patience=1, min_delta=100)]
        first = trainer(callbacks=losses)
        assert len(first.fit(loader(), epochs=9, checkpoint=path)) == 2
        again = trainer(seed=3, callbacks=[EarlyStopping(patience=1, min_delta=100)])
        assert len(again.fit(loader(), epochs=9, resume=path)) == 2
        assert again.stop_reason == first.stop_reason == "no better loss in 1 epochs"
        assert bits(again.model) == bits(first.model)

    def test_a_checkpoint_that_does_not_fit_changes_nothing(self, tmp_path):
        path = tmp_path / "net.safetensors"
        trainer(metrics=[Accuracy()]).fit(loader(), checkpoint=path)
        x, y = samples()
        for options, data, message in (
            ({}, loader(), "does not fit trainer: .* metrics got those of a training with"),
            ({"metrics": [Accuracy()]}, [(x, y)], "holds states of .*'loader'"),
            ({"metrics": [Accuracy()], "preprocessing": standardized(9.0)}, loader(), "expected .*'preprocessing'"),
            ({"metrics": [Accuracy()], "callbacks": [BestWeights()]}, loader(), "expected .*'callbacks'"),
        ):
            ours = trainer(seed=1, **options)
            before, state = bits(ours.model), ct.random.get_state()
            with pytest.raises(ValueError, match=rf"net\.safetensors .*{message}"):
                ours.fit(data, resume=path)
            assert bits(ours.model) == before
            assert ct.random.get_state() == state
            assert (ours.step, ours.history) == (0, [])
        with pytest.raises(FileNotFoundError, match="none.safetensors, where there is no checkpoint"):
            trainer().fit(loader(), resume=tmp_path / "none.safetensors")

    def test_the_weights_alone_for_prediction(self, tmp_path):
        ours = trainer(preprocessing=standardized())
        ours.fit(loader(), checkpoint=tmp_path / "net.safetensors")
        model, scale = net(), standardized(9.0)
        ct.load_checkpoint(tmp_path / "net.safetensors", model=model, preprocessing=scale, random=False)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        again = ct.Trainer(model, optimizer, nn.CrossEntropyLoss(), preprocessing=scale)
        x = samples()[0]
        assert again.predict(x).numpy().tobytes() == ours.predict(x).numpy().tobytes()


class TestInterrupt:
    def test_the_second_ctrl_c_stops_at_once(self):
        class Twice(Callback):
            def on_batch_end(self, trainer):
                for _ in range(2):
                    os.kill(os.getpid(), signal.SIGINT)

        recorder, before = Recorder(), signal.getsignal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            trainer(callbacks=[recorder, Twice()]).fit(loader())
        assert recorder.events[-1] == "fit end"
        assert signal.getsignal(signal.SIGINT) is before

    def test_in_a_thread_signals_are_left_alone(self):
        done = []
        before = signal.getsignal(signal.SIGINT)
        thread = threading.Thread(target=lambda: done.append(len(trainer().fit(loader()))))
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
    def test_resume_in_mid_epoch(self, tmp_path):
        x, y = samples()
        whole = trainer()
        whole.fit((x, y), epochs=2, batch_size=16)

        class Stop(Callback):
            def on_batch_end(self, trainer):
                if trainer.step == 7:
                    os.kill(os.getpid(), signal.SIGINT)

        path = tmp_path / "net.safetensors"
        trainer(callbacks=[Stop()]).fit((x, y), epochs=2, batch_size=16, checkpoint=path)
        again = trainer(seed=9)
        again.fit((x, y), epochs=2, batch_size=16, resume=path)
        assert bits(again.model) == bits(whole.model)
