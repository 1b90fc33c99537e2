"""Worker processes: limits, deaths, order, and nothing left behind."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from processes import children, eventually, is_running

from pmpo.grading.processes import batch as batch_module
from pmpo.grading.processes.pool import WorkerPool

FAKE = "fake_graders.obedient"


@pytest.fixture
def pool():
    pool = WorkerPool(2, 2**30)
    yield pool
    pool.close()


def requests(*completions, gold="", kind=FAKE):
    return [{"op": "grade", "kind": kind, "gold": gold, "completion": text, "options": {}} for text in completions]


def run(pool, *completions, limit=5.0):
    return pool.run(requests(*completions), limit)


def statuses(answers):
    return [answer["status"] for answer in answers]


# ---- order, speed, sharing


def test_answers_come_in_the_order_of_the_requests(pool):
    texts = [f"sleep {0.02 * (row % 3)}" if row % 5 == 0 else f"text {row}" for row in range(60)]
    answers = run(pool, *texts)
    assert [a["answer"] for a in answers] == [None if text.startswith("sleep") else text for text in texts]


def test_no_more_workers_than_requests_and_none_without_work():
    pool = WorkerPool(4, 2**30)
    assert pool.run([], 1.0) == [] and pool.process_ids() == []
    (answer,) = run(pool, "pid")
    assert pool.process_ids() == [int(answer["reason"])]
    assert {a["reason"] for a in run(pool, "pid", "pid", "pid")} >= {answer["reason"]}
    assert 1 < len(pool.process_ids()) <= 3
    pool.close()


def test_many_threads_share_the_workers(pool):
    out = {}

    def work(name):
        out[name] = [a["answer"] for a in run(pool, *[f"{name} {row}" for row in range(200)])]

    threads = [threading.Thread(target=work, args=(f"thread{i}",)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert out == {f"thread{i}": [f"thread{i} {row}" for row in range(200)] for i in range(6)}
    assert len(pool.process_ids()) == 2


def test_a_long_batch_hands_a_worker_to_a_thread_that_waits(pool):
    finished = []

    def long():
        run(pool, *["sleep 0.05"] * 100)
        finished.append("long")

    thread = threading.Thread(target=long)
    thread.start()
    assert eventually(lambda: len(pool._taken) == 2)
    run(pool, "short")
    finished.append("short")
    thread.join()
    assert finished == ["short", "long"]


# ---- time


def test_what_overruns_is_ended_and_nothing_else_suffers(pool):
    run(pool, "warm", "warm")
    before = set(pool.process_ids())
    start = time.monotonic()
    answers = run(pool, *["a"] * 20, "hang", *["b"] * 20, limit=3.0)
    assert time.monotonic() - start < 20.0  # one limit and one new worker, on a busy machine
    assert statuses(answers) == ["wrong"] * 20 + ["timeout"] + ["wrong"] * 20
    assert answers[20]["reason"] == "Grading took longer than its limit of 3 s and was ended."
    assert 2.8 < answers[20]["seconds"] < 3.0
    assert len(before & set(pool.process_ids())) == 1


def test_a_request_is_not_blamed_for_the_one_before_it(pool):
    """Requests wait in the pipe behind slow ones; the clock of each starts when its turn comes."""
    answers = WorkerPool(1, 2**30).run(requests(*["x"] * 40, *["sleep 0.6"] * 4), 1.0)
    assert statuses(answers) == ["wrong"] * 40 + ["correct"] * 4


def test_a_c_call_that_holds_the_lock_is_ended_too(pool):
    assert statuses(run(pool, "hold_the_lock", "x", limit=1.0)) == ["timeout", "wrong"]


def test_the_start_of_a_worker_counts_against_nothing(monkeypatch, tmp_path):
    package = tmp_path / "slow_to_load"
    package.mkdir()
    (package / "grader.py").write_text(
        "import time\ntime.sleep(1.0)\nfrom fake_graders.obedient import grade, check_gold\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    pool = WorkerPool(1, 2**30)
    (answer,) = pool.run(requests("x", kind="slow_to_load.grader"), 0.5)
    assert answer["status"] == "wrong"
    pool.close()


def test_a_worker_whose_owner_is_gone_ends_itself(pool):
    """The last resort inside the worker: its own timer, in case nobody is left to end it."""
    (answer,) = run(pool, "timer", limit=2.0)
    assert 2.0 < float(answer["reason"]) <= 2.5
    code = (
        f"import os, sys, threading, time; sys.path[:0] = {sys.path!r}\n"
        "from pmpo.grading.processes.pool import WorkerPool\n"
        "pool = WorkerPool(1, 2**30)\n"
        "request = {'op': 'grade', 'kind': 'fake_graders.obedient', 'gold': '', 'options': {}}\n"
        "pool.run([{**request, 'completion': 'x'}], 2.0)\n"
        "print(pool.process_ids()[0], flush=True)\n"
        "threading.Timer(0.3, lambda: os.kill(os.getpid(), 9)).start()\n"
        "pool.run([{**request, 'completion': 'hold_the_lock'}], 2.0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    pid = int(done.stdout)
    assert is_running(pid)  # nothing else has ended it
    assert eventually(lambda: not is_running(pid), 6.0)


def test_an_ignored_alarm_is_not_inherited():
    previous = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    try:
        pool = WorkerPool(1, 2**30)
        run(pool, "x")
        (pid,) = pool.process_ids()
    finally:
        signal.signal(signal.SIGALRM, previous)
    os.kill(pid, signal.SIGALRM)
    assert eventually(lambda: not is_running(pid))
    pool.close()


# ---- memory and deaths


def test_memory_is_limited_and_its_worker_replaced(pool):
    run(pool, "warm", "warm")
    before = set(pool.process_ids())
    answers = run(pool, "a", f"allocate {2 << 30}", "b", f"allocate {100 << 20}")
    assert statuses(answers) == ["wrong", "memory", "wrong", "correct"]
    assert set(pool.process_ids()) != before


def test_a_worker_that_has_grown_is_replaced_before_it_harms_the_next():
    pool = WorkerPool(1, 2**30)
    answers = run(pool, *[f"allocate {300 << 20}"] * 8)
    assert statuses(answers) == ["correct"] * 8
    pool.close()


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("recurse", "unparsable", "nested too deeply"),
        ("fail key", "error", "The grader failed: KeyError: 'key'"),
        ("fail_without_text", "error", "The grader failed: UnprintableError"),
        ("quit", "error", "The grader failed: SystemExit: enough"),
        ("nonsense", "error", "AttributeError"),
        ("abort", "error", "signal SIGABRT"),
        ("segfault", "error", "signal SIGSEGV"),
        ("kill_itself", "error", "signal SIGKILL"),
        ("leave", "error", "exit status 3"),
        ("die_large", "memory", "signal SIGABRT"),
    ],
)
def test_every_end_has_its_status_and_reason(pool, command, status, said):
    answers = run(pool, "a", command, "b")
    assert statuses(answers) == ["wrong", status, "wrong"]
    assert said in answers[1]["reason"]


def test_a_worker_that_died_between_two_calls_is_replaced(pool):
    run(pool, "x", "y")
    for pid in pool.process_ids():
        os.kill(pid, 9)
    assert statuses(run(pool, "x", "y")) == ["wrong", "wrong"]


def test_what_a_dead_worker_had_not_taken_is_tried_once_more(pool, monkeypatch):
    """Killed after the check that it is alive and before it has read anything: stopped first, so that it cannot."""
    run(pool, "x")
    (pid,) = pool.process_ids()
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(0.5, lambda: os.kill(pid, signal.SIGKILL)).start()
    assert statuses(run(pool, "x")) == ["wrong"]
    assert pid not in pool.process_ids()


def test_a_killed_worker_leaves_the_rest_of_a_batch_unharmed(pool):
    run(pool, "x", "y")
    first = pool.process_ids()[0]
    threading.Timer(0.5, lambda: os.kill(first, signal.SIGKILL)).start()
    answers = run(pool, *["sleep 0.05"] * 40)
    assert statuses(answers).count("correct") >= 39
    assert all("SIGKILL" in a["reason"] for a in answers if a["status"] != "correct")


def test_a_worker_that_dies_while_a_long_text_is_on_its_way(pool):
    """Its output ends and its input becomes writable, in an error, at the same time."""
    long = "x" * 300_000
    for _ in range(2):
        answers = run(pool, *["a"] * 40, "kill_itself", long, "kill_itself", long, *["kill_itself " + long] * 3, "b")
        expected = ["error", "wrong", "error", "wrong", "error", "error", "error", "wrong"]
        assert statuses(answers) == ["wrong"] * 40 + expected


# ---- what the worker may do


def test_output_of_a_library_does_not_mix_with_answers(pool):
    answers = run(pool, "shout", "x")
    assert statuses(answers) == ["correct", "wrong"] and answers[0]["reason"] == "''"


def test_nothing_can_be_written_to_disk(pool, tmp_path):
    (answer,) = run(pool, f"write {tmp_path / 'file'}")
    assert answer["status"] == "error" and "File too large" in answer["reason"]
    assert (tmp_path / "file").read_bytes() == b""  # it may be made, and nothing put into it


def test_the_environment_of_a_worker(pool, monkeypatch):
    monkeypatch.setenv("PYTHONINSPECT", "1")  # would keep a worker open for ever
    commands = [f"environment {name}" for name in ("PYTHONHASHSEED", "SYMPY_GROUND_TYPES", "PYTHONINSPECT")]
    answers = run(pool, *commands, "modules torch", "digits 100000")
    assert [a["reason"] for a in answers] == ["0", "python", "None", "False", "100001"]


def test_long_texts_are_shortened_and_long_answers_stay_apart(pool):
    a, b, c = run(pool, "long_answer x", "long_answer y", "long_answer x")
    assert len(a["reason"]) == 500 and len(a["answer"]) < 500
    assert a["answer"] == c["answer"] != b["answer"]


def test_any_text_arrives_whole(pool):
    texts = ["\ud800 lone", "nul \0 in it", "right \u202e to left", "line\nbreaks\r\u2028\x85", "é" * 400_000, ""]
    assert [a["reason"] for a in run(pool, *texts)] == [f"It says {text!r}."[:500] for text in texts]


def test_a_reference_that_is_no_json_is_an_error_of_its_own_row(pool):
    rows = requests("a", "b", "c")
    rows[1]["gold"] = {1, 2}
    rows[2]["gold"] = 10**5000  # str() of it raises in this process
    answers = pool.run(rows, 5.0)
    assert statuses(answers) == ["wrong", "error", "error"]
    assert "a set is no text, number, list or dict" in answers[1]["reason"]


# ---- failing to start


def test_a_grader_that_cannot_be_loaded_says_why(pool):
    with pytest.raises(RuntimeError, match=r"could not load its grader.*ModuleNotFoundError.*no_such_package"):
        pool.run(requests("x", kind="no_such_package.grader"), 1.0)
    assert statuses(run(pool, "x")) == ["wrong"]


def test_too_little_memory_to_start_says_so():
    for memory_bytes in (2**23, 2**24, 2**25):
        with pytest.raises(RuntimeError, match="Is memory_bytes large enough"):
            WorkerPool(1, memory_bytes).run(requests("1", kind="math"), 1.0)


def package_with_grader(monkeypatch, package, source):
    """Make a package that workers find, with this in its grader.py."""
    package.mkdir()
    (package / "grader.py").write_text(source + "\n")
    monkeypatch.syspath_prepend(package.parent)


def test_a_start_that_python_itself_cannot_explain_may_be_memory(monkeypatch, tmp_path):
    package_with_grader(monkeypatch, tmp_path / "unexplained", "raise SystemError('error return without exception')")
    with pytest.raises(RuntimeError, match=r"SystemError.*Is memory_bytes large enough"):
        WorkerPool(1, 2**30).run(requests("x", kind="unexplained.grader"), 1.0)


def test_workers_that_die_while_they_start_are_no_endless_loop(monkeypatch, tmp_path):
    package_with_grader(monkeypatch, tmp_path / "dies_at_once", "import os\nos.abort()")
    with pytest.raises(RuntimeError, match=r"Two grading workers in turn ended while they started.*SIGABRT"):
        WorkerPool(1, 2**30).run(requests("x", kind="dies_at_once.grader"), 1.0)


def test_a_worker_that_hangs_while_it_starts(monkeypatch, tmp_path):
    package_with_grader(monkeypatch, tmp_path / "never_loads", "import time\ntime.sleep(60)")
    monkeypatch.setattr(batch_module, "START_LIMIT", 0.5)
    before = children()
    with pytest.raises(RuntimeError, match="ended while they started"):
        WorkerPool(1, 2**30).run(requests("x", kind="never_loads.grader"), 1.0)
    assert children() <= before


# ---- nothing left behind


def test_close_leaves_no_process_and_the_pool_usable(pool):
    before = children()
    assert statuses(run(pool, "a", "b", "hang", limit=0.5)) == ["wrong", "wrong", "timeout"]
    assert len(run(pool, "a", "b")) == len(children() - before) == 2
    pool.close()
    assert children() == before and pool.process_ids() == []
    assert statuses(run(pool, "a")) == ["wrong"]


def test_a_pool_that_nobody_holds_ends_its_workers():
    before = children()
    pool = WorkerPool(2, 2**30)
    run(pool, "a", "b")
    assert len(children() - before) == 2
    del pool
    assert children() == before


def test_close_lets_the_batch_of_another_thread_end_first(pool):
    before = children()
    out = []
    thread = threading.Thread(target=lambda: out.extend(run(pool, *["sleep 0.1"] * 10)))
    thread.start()
    assert eventually(lambda: len(pool._taken) == 2)
    pool.close()
    thread.join()
    assert statuses(out) == ["correct"] * 10
    assert children() == before


def test_ctrl_c_ends_what_is_in_the_middle_and_the_pool_is_usable_again():
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from processes import children\n"
        "from test_pool import WorkerPool, run, statuses\n"
        "pool = WorkerPool(2, 2**30)\n"
        "run(pool, 'a', 'b')\n"
        "print('ready', flush=True)\n"
        "try:\n"
        "    run(pool, 'hang', 'hang', 'hang', limit=30.0)\n"
        "except KeyboardInterrupt:\n"
        "    print(len(children()), statuses(run(pool, 'a', 'b')), len(pool.process_ids()))\n"
        "    pool.close()\n"
        "    print(len(children()))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, process_group=0)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    assert process.communicate(timeout=20)[0] == "0 ['wrong', 'wrong'] 2\n0\n"


def test_workers_are_no_members_of_the_group_that_ctrl_c_reaches(pool):
    run(pool, "a")
    assert [os.getpgid(pid) for pid in pool.process_ids()] == pool.process_ids()


def test_the_end_of_the_program_ends_the_workers():
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from test_pool import WorkerPool, run\n"
        "pool = WorkerPool(2, 2**30)\n"
        "run(pool, 'a', 'b')\n"
        "print(*pool.process_ids())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2 and not any(is_running(pid) for pid in pids)


# ---- forks


def grade_in_child(pool, connection):
    """In a child process: its own workers, which end with it."""
    answers = run(pool, "pid", "x", "hang", limit=1.0)
    connection.send((os.getpid(), pool.process_ids(), statuses(answers)))


@pytest.mark.parametrize("daemon", [False, True])
def test_a_forked_child_has_workers_of_its_own(pool, daemon):
    run(pool, "a", "b")
    ours = pool.process_ids()
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=grade_in_child, args=(pool, sending), daemon=daemon)
    child.start()
    _, theirs, answers = receiving.recv()
    child.join()
    assert child.exitcode == 0
    assert answers == ["correct", "wrong", "timeout"]
    assert theirs and not set(theirs) & set(ours)
    assert eventually(lambda: not any(is_running(pid) for pid in theirs))
    assert pool.process_ids() == ours and statuses(run(pool, "a", "b")) == ["wrong", "wrong"]


def hang_beside(pool, connection):
    """A child process whose last act leaves a worker in the middle of a hang."""
    run(pool, "a")
    threading.Thread(target=run, args=(pool, "hang"), kwargs={"limit": 30.0}, daemon=True).start()
    assert eventually(lambda: any(worker.has_taken for worker in pool._taken))
    connection.send(pool.process_ids())


def test_the_end_of_a_process_of_multiprocessing_ends_its_workers(pool):
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=hang_beside, args=(pool, sending))
    child.start()
    (worker,) = receiving.recv()
    child.join()
    assert child.exitcode == 0 and eventually(lambda: not is_running(worker), 5.0)


def test_a_fork_while_another_thread_grades_and_holds_the_lock(pool):
    """The child must find neither a lock that nobody will open nor workers in the middle of something."""
    grading = threading.Thread(target=run, args=(pool, *["sleep 0.05"] * 40))
    grading.start()
    assert eventually(lambda: len(pool._taken) == 2)
    held, forked = threading.Event(), threading.Event()

    def hold():
        with pool._condition:
            held.set()
            forked.wait()

    holding = threading.Thread(target=hold)
    holding.start()
    held.wait()
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)  # rather than for ever
        right = statuses(run(pool, "a")) == ["wrong"]
        pool.close()
        os._exit(0 if right else 1)
    forked.set()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    grading.join()
    holding.join()


def test_a_forked_child_keeps_no_end_of_the_pipes(pool):
    """Else workers would outlive a parent that dies, for as long as its child lives."""
    run(pool, "a")
    (worker,) = pool._idle
    ends = {os.readlink(f"/proc/self/fd/{fd}") for fd in (worker.input, worker.output)}
    pid = os.fork()
    if pid == 0:
        mine = {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _exists(fd)}
        os._exit(1 if ends & mine else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _exists(fd):
    return os.path.lexists(f"/proc/self/fd/{fd}")


def test_who_ignores_the_ends_of_children_can_grade(pool):
    previous = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert statuses(run(pool, "a", "leave", "hang", limit=1.0))[::2] == ["wrong", "timeout"]
        pool.close()
    finally:
        signal.signal(signal.SIGCHLD, previous)
