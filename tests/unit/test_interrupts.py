from __future__ import annotations

import threading

import pytest

from hil import interrupts


def test_outside_a_block_an_interrupt_is_raised_at_once() -> None:
    with pytest.raises(KeyboardInterrupt, match="SIGINT"):
        interrupts.interrupt("SIGINT")


def test_inside_a_block_it_waits_for_its_end() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"), interrupts.held_back():
        interrupts.interrupt("SIGTERM")
        done.append("the rest of the block")
    assert done == ["the rest of the block"]


def test_a_check_raises_it_earlier_and_only_once() -> None:
    with interrupts.held_back():
        interrupts.interrupt("SIGINT")
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
        interrupts.check()


def test_nested_blocks_wait_for_the_outermost() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts.held_back():
        with interrupts.held_back():
            interrupts.interrupt("SIGINT")
        done.append("the rest of the outer block")
    assert done


def test_a_second_interrupt_does_not_wait() -> None:
    with interrupts.held_back():
        interrupts.interrupt("SIGINT")
        with pytest.raises(KeyboardInterrupt):
            interrupts.interrupt("SIGINT")
    interrupts.check()


def test_a_block_that_is_left_by_an_error_parks_nothing_for_later() -> None:
    with pytest.raises(ZeroDivisionError), interrupts.held_back():
        interrupts.interrupt("SIGINT")
        raise ZeroDivisionError
    interrupts.check()
    with interrupts.held_back():
        interrupts.check()


def test_another_thread_neither_holds_back_nor_is_interrupted() -> None:
    raised: list[BaseException] = []

    def work() -> None:
        try:
            with interrupts.held_back():
                interrupts.check()
        except BaseException as error:
            raised.append(error)

    with pytest.raises(KeyboardInterrupt), interrupts.held_back():
        interrupts.interrupt("SIGINT")
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert not raised
