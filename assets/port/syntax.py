"""Prints the syntax trees of Python files as JSON. Reads their paths from stdin, one JSON list; runs nothing of them."""
import ast
import json
import sys
import warnings

PLAIN = (str, int, float, bool, type(None))


def to_json(value):
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if not isinstance(value, ast.AST):
        return value if isinstance(value, PLAIN) else None
    tree = {"type": type(value).__name__}
    if isinstance(value, ast.Constant) and (not isinstance(value.value, PLAIN) or is_too_large(value.value)):
        tree["type"] = "Other"
    for name, item in ast.iter_fields(value):
        if name not in ("kind", "ctx", "type_comment", "type_ignores", "type_params"):
            tree[name] = to_json(item) if tree["type"] != "Other" else None
    if hasattr(value, "lineno"):
        tree["span"] = [value.lineno, value.col_offset, value.end_lineno, value.end_col_offset]
    return tree


def is_too_large(value):
    """Numbers that JavaScript cannot hold, and infinity, which JSON has no word for."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not abs(value) <= 2**53


def read(path):
    try:
        with open(path, "rb") as file:
            source = file.read()
        return {"body": to_json(ast.parse(source))["body"]}
    except SyntaxError as error:
        return {"problem": "line %s: %s" % (error.lineno, error.msg)}
    except (OSError, ValueError, RecursionError) as error:
        return {"problem": str(error)}


warnings.simplefilter("ignore")
if sys.version_info < (3, 8):
    sys.exit("Python %d.%d is too old" % sys.version_info[:2])
json.dump([read(path) for path in json.load(sys.stdin)], sys.stdout)
