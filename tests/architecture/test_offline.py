"""Tests are offline, draw nothing on a screen, and begin with the same random numbers."""

import os
import random
import socket
import urllib.request

import pytest


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.invalid", 80), ("::ffff:192.0.2.1", 80)])
def test_another_machine_cannot_be_reached(address):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as sock, pytest.raises(BaseException, match="tests are offline"):
        sock.connect(address)
    with pytest.raises(BaseException, match="tests are offline"):
        socket.create_connection(address)
    with socket.socket(family) as sock, pytest.raises(BaseException, match="tests are offline"):
        sock.connect_ex(address)


def test_a_url_cannot_be_opened():
    with pytest.raises(BaseException, match="tests are offline"):
        urllib.request.urlopen("http://example.invalid/")


def test_this_machine_can_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


@pytest.mark.parametrize("_", range(2))
def test_random_numbers_begin_anew(_):
    assert random.random() == 0.8444218515250481


def test_nothing_is_drawn_on_a_screen():
    assert os.environ["MPLBACKEND"] == "Agg"
