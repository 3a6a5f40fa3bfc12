"""Where in a module an operator is."""

from typing import Any

BUILT_IN = "torch.nn.modules"  # which are named by their own path alone
INTO_CONTAINERS = "torch.nn.modules.container"


def place_of(node: Any) -> tuple[str, str]:
    """Return the path of the module that a node is in, and a name for its layers."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path, kind = stack[-1] if stack else ("", "")
    path = path.split("@")[0]  # calls after the first have numbers
    base = str(node.target).removeprefix("aten.").split(".")[0].strip("_")
    kind = str(kind)
    is_own = kind.startswith(BUILT_IN) and not kind.startswith(INTO_CONTAINERS)
    if path and is_own:
        return path, path
    return path, f"{path}.{base}".strip(".")
