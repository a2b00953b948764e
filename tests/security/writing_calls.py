"""Finds the calls in a source file that make, change or remove files."""

import ast

METHODS = {
    "copy2", "copyfile", "copytree", "hardlink_to", "makedirs", "memmap", "mkdir", "open_memmap", "rename", "rmdir",
    "rmtree", "save", "save_file", "save_pretrained", "save_to_disk", "savez", "symlink_to", "to_csv",
    "to_parquet", "touch", "truncate", "unlink", "write_bytes", "write_text",
}  # fmt: skip
FUNCTIONS = {"replacing", "save_file", "write_bytes", "write_text"}
"""By their bare name: those of `hcpgraph.atomic`, and of safetensors."""
QUALIFIED = {("os", "replace"), ("os", "remove"), ("os", "open"), ("shutil", "move"), ("sqlite3", "connect")}


def writing_functions(source):
    """Names of the functions (`Class.method`) of a module in which something is written."""
    found = set()

    def walk(node, names):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [*names, node.name]
        if isinstance(node, ast.Call) and _writes(node):
            found.add(".".join(names))
        for child in ast.iter_child_nodes(node):
            walk(child, names)

    walk(ast.parse(source), [])
    return found


def _writes(call):
    name, owner = _name(call.func)
    if name in (METHODS if isinstance(call.func, ast.Attribute) else FUNCTIONS) or (owner, name) in QUALIFIED:
        return True
    if name not in ("open", "fdopen"):
        return False
    given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    modes = [item.value for item in given if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return any(set(mode) & set("wax+") and set(mode) <= set("rwxabt+") for mode in modes)


def _name(func):
    if isinstance(func, ast.Attribute):
        return func.attr, func.value.id if isinstance(func.value, ast.Name) else None
    return (func.id, None) if isinstance(func, ast.Name) else (None, None)
