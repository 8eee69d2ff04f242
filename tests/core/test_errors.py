"""The error tree: exit codes, what is printed, and that errors cross process borders whole."""

import pickle

import pytest

from vitrail.core import errors

ALL = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, errors.VitrailError)]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("VitrailError", 2),
        ("UsageError", 2),
        ("ConfigError", 2),
        ("DataError", 2),
        ("ImageError", 2),
        ("WeightsError", 2),
        ("NonFiniteError", 3),
        ("StorageError", 74),
        ("Interrupted", 130),
    ],
)
def test_exit_codes(name, code):
    assert getattr(errors, name)("message").exit_code == code


def test_every_error_has_an_exit_code_asked_for_above():
    assert len(ALL) == 9


@pytest.mark.parametrize(("signal", "code"), [(2, 130), (15, 143)])
def test_a_signal_gives_the_shells_exit_code(signal, code):
    error = errors.Interrupted("saved", "go on", signal_number=signal)
    assert error.exit_code == code
    assert pickle.loads(pickle.dumps(error)).exit_code == code
    assert errors.Interrupted.exit_code == 2, "one interruption must not change the class"


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_message_and_hint_survive_pickling(kind):
    error = pickle.loads(pickle.dumps(kind("what is wrong", "what to try")))
    assert type(error) is kind
    assert (error.message, error.hint, error.exit_code) == ("what is wrong", "what to try", kind("m").exit_code)


def test_what_is_printed():
    assert str(errors.ConfigError("wrong", "try this")) == "wrong\nhint: try this"
    assert str(errors.ConfigError("wrong")) == "wrong"


def test_an_image_error_is_a_data_error():
    assert issubclass(errors.ImageError, errors.DataError)
    assert all(issubclass(kind, errors.VitrailError) for kind in ALL)


def test_the_drawn_tree_names_every_class():
    assert errors.__doc__ is not None
    for kind in ALL:
        assert kind.__name__ in errors.__doc__
