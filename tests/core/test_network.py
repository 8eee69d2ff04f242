"""What forbids the network does so for its block, and no longer."""

import pytest

from vitrail.core.network import network, network_allowed


def test_the_network_is_allowed_unless_something_forbids_it():
    assert network_allowed()
    with network(False):
        assert not network_allowed()
        with network(True):
            assert not network_allowed(), "what is inside cannot allow it again"
    assert network_allowed()


def test_it_is_allowed_again_after_an_error():
    with pytest.raises(ZeroDivisionError), network(False):
        _ = 1 / 0
    assert network_allowed()
