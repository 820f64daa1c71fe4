"""Which small changes are made to a module: one a mutant, each like a slip that somebody might make.

Only what functions do is changed. Constants of modules and classes and the defaults of arguments are policy: how long
something is waited for, how much is kept.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARISONS: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
}  # fmt: skip
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
_METHODS = {"popleft": "pop"}
_LOGS = {"debug", "info", "warning", "error"}
_FUNCTIONS = (ast.FunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change. `name` tells it from all others of its module, and stays the same when lines move.

    owner: the function that it lies in, with its class.
    """

    module: str
    name: str
    owner: str
    first_line: int
    last_line: int
    tree: ast.Module


def mutants_of(module: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a module, in the order of its lines. What is only said (logs, types, texts) is left alone."""
    names: dict[str, int] = {}
    for place in _places(ast.parse(source)):
        for number, (node, new) in enumerate(place.changes()):
            name = f"{place.owner}: {_text(node)} -> {_text(new) or 'nothing'}"
            names[name] = names.get(name, 0) + 1
            if names[name] > 1:
                name += f" ({names[name]})"
            tree = ast.parse(source)
            twin = next(each for each in _places(tree) if each.path == place.path)
            old, replacement = list(twin.changes())[number]
            ast.fix_missing_locations(_Swap(old, replacement).visit(tree))
            yield Mutant(
                module=module, name=name, owner=place.owner, first_line=place.node.lineno,
                last_line=place.node.end_lineno or place.node.lineno, tree=tree,
            )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A node that may be changed; `path` finds it again in another tree of the same source."""

    node: ast.expr | ast.stmt
    path: tuple[int, ...]
    owner: str

    def changes(self) -> Iterator[tuple[ast.AST, ast.AST]]:
        """What could stand there instead of what."""
        node = self.node
        match node:
            case ast.Compare(ops=[op]):
                for other in _COMPARISONS[type(op)]:
                    yield node, _with(node, ops=[other()])
            case ast.BoolOp(op=op, values=values):
                yield node, _with(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
                for left_out in range(len(values)):
                    rest = [value for index, value in enumerate(values) if index != left_out]
                    yield node, rest[0] if len(rest) == 1 else _with(node, values=rest)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield node, operand
            case ast.BinOp(op=op) if type(op) in _OPERATORS:
                yield node, _with(node, op=_OPERATORS[type(op)]())
            case ast.Constant(value=bool() as value):
                yield node, ast.Constant(not value)
            case ast.Constant(value=int() | float() as value):
                yield node, ast.Constant(value + 1)
            case ast.Constant(value=str() as value) if " " not in value:  # else it is a sentence
                yield node, ast.Constant(value + "X")
            case ast.Call(func=ast.Name(id=name) as called) if name in _NAMES:
                yield called, ast.Name(_NAMES[name], ast.Load())
            case ast.Call(func=ast.Attribute(attr=name) as called) if name in _METHODS:
                yield called, _with(called, attr=_METHODS[name])
            case ast.Return(value=ast.Constant(value=bool())):
                pass  # the value itself is changed
            case ast.Return(value=ast.expr() as value) if not _is_none(value):
                yield node, ast.Return(ast.Constant(None))
            case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Delete() | ast.Continue() | ast.Break():
                yield node, ast.Pass()
            case ast.Return():
                yield node, ast.Pass()
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript() | ast.Tuple()]):
                yield node, ast.Pass()
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) if not _is_changed_itself(test):
                yield test, ast.UnaryOp(ast.Not(), copy.deepcopy(test))
            case _:
                pass
        if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp):
            for generator in node.generators:
                for condition in generator.ifs:
                    yield condition, ast.Constant(True)


def _places(tree: ast.Module) -> Iterator[_Place]:
    yield from _below(tree, (), "module")


def _below(node: ast.AST, path: tuple[int, ...], owner: str) -> Iterator[_Place]:
    if _is_only_said(node):
        return
    if isinstance(node, _FUNCTIONS):
        owner = node.name if owner == "module" else f"{owner}.{node.name}"
    if isinstance(node, ast.expr | ast.stmt):
        yield _Place(node=node, path=path, owner=owner)
    said = _said_parts(node)
    for index, child in enumerate(ast.iter_child_nodes(node)):
        is_policy = isinstance(node, ast.Module | ast.ClassDef) and not isinstance(child, _FUNCTIONS)
        if not is_policy and not any(child is each for each in said):
            yield from _below(child, (*path, index), owner)


def _is_only_said(node: ast.AST) -> bool:
    """Documentation, log lines, texts that are put together, imports, Protocols, types."""
    match node:
        case ast.Expr(value=ast.Constant()) | ast.JoinedStr() | ast.Import() | ast.ImportFrom() | ast.Assert():
            return True
        case ast.Call(func=ast.Attribute(attr=attr)) if attr in _LOGS:
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=attr))) if attr in _LOGS:
            return True
        case ast.Call(func=ast.Name(id="TypeVar")):
            return True
        case ast.ClassDef(bases=[ast.Name(id="Protocol")]):
            return True
        case _:
            return False


def _said_parts(node: ast.AST) -> list[ast.AST]:
    """Those children that are only said: arguments, annotations, decorators, the texts of errors."""
    match node:
        case ast.FunctionDef():
            return [node.args, *node.decorator_list, *([node.returns] if node.returns else [])]
        case ast.ClassDef():
            return [*node.decorator_list, *node.bases]
        case ast.arg() | ast.AnnAssign():
            return [node.annotation] if node.annotation else []
        case ast.Raise():
            return [node.exc] if node.exc else []
        case _:
            return []


def _is_changed_itself(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare | ast.BoolOp | ast.Constant) or (
        isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    )


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _with(node: ast.expr, **fields: object) -> ast.expr:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _text(node: ast.AST) -> str:
    text = "" if isinstance(node, ast.Pass) else ast.unparse(node)
    return text.replace("\n", " ")


class _Swap(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self._new if node is self._old else self.generic_visit(node)
