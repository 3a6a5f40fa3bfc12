"""Programs that change tensors in place, as programs that do not."""

from typing import Any

from nengo_dl.errors import InvalidValue
from nengo_dl.torch.reading import base_name, changes_in_place

WEIGHTS = ("p_", "b_", "c_")  # of PyTorch's names, that no input begins with
RANDOM = ("alpha_dropout", "dropout", "feature_dropout", "feature_alpha_dropout")


def without_changes_in_place(program: Any) -> Any:
    """Return a program in which every change in place has one effect: its result.

    Most programs are such already: whoever reads them takes the result in place of the
    argument. Where a tensor shares its memory with another one that is used later,
    PyTorch itself makes a program of values of it. That program has no dropout any
    more, so both together are refused.
    """
    nodes = list(program.graph.nodes)
    if not _show_elsewhere(nodes):
        return program
    if any(base_name(node) in RANDOM and node.args[1] > 0 for node in nodes):
        raise InvalidValue(
            "expected no changes in place that show in other tensors, together with "
            "dropout (got a module with both). Write e.g. x = x + y instead of x += y"
        )
    found = program.run_decompositions({})
    changed = found.graph_signature.buffers_to_mutate
    if changed:
        raise InvalidValue(
            "expected a module that changes no buffers in evaluation (got changes of "
            f"{', '.join(changed.values())}). Return them, and pass them as inputs"
        )
    return found


def _show_elsewhere(nodes: list[Any]) -> bool:
    """Whether some change shows in another tensor that is used afterwards."""
    changes = [node for node in nodes if changes_in_place(node)]
    if not changes:
        return False
    position = {node: i for i, node in enumerate(nodes)}
    sharing: dict[Any, list[Any]] = {}
    for node in nodes:
        if node.op != "output":
            sharing.setdefault(_memory(node), []).append(node)
    for change in changes:
        target, at = change.args[0], position[change]
        memory = _memory(target)
        if memory.op == "placeholder" and memory.name.startswith(WEIGHTS):
            return True
        others = (n for n in sharing[memory] if n is not target and position[n] < at)
        if any(position[user] > at for other in others for user in other.users):
            return True
    return False


def _memory(node: Any) -> Any:
    """Return the node that made the memory which a node's value is in."""
    while node.op == "call_function" and node.args and _shares_memory(node):
        node = node.args[0]
        if isinstance(node, tuple | list):
            node = node[0]
    return node


def _shares_memory(node: Any) -> bool:
    """Whether the result of an operator may be a view of its first argument."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:  # an element of several results
        return True
    return any(
        result.alias_info is not None or "[]" in str(result.type)
        for result in schema.returns
    )
