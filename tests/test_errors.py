import nengo
import pytest
from nengo.exceptions import ValidationError

from nengo_dl.errors import InvalidValue, argument, arguments_of


def refuse():
    raise InvalidValue("must be")


def test_the_name_of_an_argument():
    with pytest.raises(ValidationError, match="^loss: must be$"), argument("loss"):
        refuse()


def test_whose_argument_it_is():
    for obj in (nengo.Network, nengo.Network()):
        with pytest.raises(ValidationError, match="^Network.loss: must be$") as info:
            with argument("loss", obj):
                refuse()
        assert info.value.obj is obj
        with pytest.raises(ValidationError, match="^Network.loss: must be$"):
            with arguments_of(obj), argument("loss"):
                refuse()


def test_of_errors_that_say_all_nothing_changes():
    error = ValidationError("must be", attr="size", obj=nengo.Probe)
    with pytest.raises(ValidationError, match="^Probe.size: must be$") as info:
        with arguments_of(nengo.Node), argument("loss"):
            raise error
    assert info.value is error
    with pytest.raises(KeyError), arguments_of(nengo.Node), argument("loss"):
        raise KeyError("must be")


def test_as_a_decorator():
    with pytest.raises(ValidationError, match="^loss: must be$"):
        argument("loss")(refuse)()


def test_a_cause_is_kept_and_nothing_else():
    with pytest.raises(ValidationError) as info, argument("loss"):
        try:
            int("x")
        except ValueError as error:
            raise InvalidValue("must be") from error
    assert isinstance(info.value.__cause__, ValueError)
    with pytest.raises(ValidationError) as info, argument("loss"):
        refuse()
    assert info.value.__cause__ is None and info.value.__suppress_context__
    assert [entry.name for entry in info.traceback][-1] == "refuse"
