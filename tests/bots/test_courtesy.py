import os
import sys
import threading

import pytest

from bots.courtesy import NICE, TASKS, step_back, threads


@pytest.mark.skipif(not TASKS.is_dir(), reason="only Linux knows a thread's priority")
def test_threads_that_come_after_ours_and_their_own_let_us_go_first() -> None:
    before, switch = threads(), sys.getswitchinterval()
    ready, stepped, done = threading.Event(), threading.Event(), threading.Event()
    priorities = {}

    def child() -> None:
        priorities["child"] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        done.set()

    def model() -> None:
        ready.set()
        stepped.wait(10)
        priorities["model"] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        threading.Thread(target=child).start()

    threading.Thread(target=model).start()
    assert ready.wait(10)
    try:
        step_back(before)
        assert sys.getswitchinterval() < switch
    finally:
        sys.setswitchinterval(switch)
        stepped.set()
    assert done.wait(10)
    assert priorities == {"model": NICE, "child": NICE}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == 0
