import os
import signal
import threading

import pytest

from nengo_dl.simulator.interrupts import interrupts_held


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(autouse=True)
def foreground():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_block_is_finished_first():
    done = []
    with pytest.raises(KeyboardInterrupt):
        with interrupts_held():
            press_ctrl_c()
            done.append("rest of the block")
        done.append("after the block")
    assert done == ["rest of the block"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_one_goes_through():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_held():
        press_ctrl_c()
        press_ctrl_c()
        done.append("rest of the block")
    assert not done


def test_errors_pass_through():
    with pytest.raises(ZeroDivisionError), interrupts_held():
        _ = 1 / 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_leave_signals_alone():
    seen = []

    def run():
        with interrupts_held():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_programs_that_ignore_it_go_on_ignoring_it():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts_held():
        press_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
