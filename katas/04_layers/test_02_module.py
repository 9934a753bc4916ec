"""A module finds its parts among its attributes, and knows their names."""

import numpy as np

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.layers import Buffer, Module, Parameter
from tinytorch.tensor import Tensor, ones, zeros


class Scale(Module):
    def __init__(self, size):
        self.factor = Parameter(ones(size))
        self.count = Buffer(zeros(1))
        self.note = "neither a parameter nor a module"

    def forward(self, x):
        return x * self.factor


class Two(Module):
    def __init__(self):
        self.first = Scale(2)
        self.shift = Parameter(zeros(2))
        self.second = Scale(3)


class Tree(Module):
    def __init__(self):
        self.left = Two()
        self.right = Scale(4)


def test_a_call_is_a_call_of_forward():
    """module(x) is module.forward(x), with all its arguments."""

    class Add(Module):
        def forward(self, x, y, scale=1):
            return (x + y) * scale

    assert_equal(Add()(1, y=2, scale=10), 30)


def test_a_module_without_forward_says_so():
    """Calling a module whose class has no forward is a NotImplementedError that names the class."""

    class Unfinished(Module):
        pass

    with raises(NotImplementedError, "Unfinished"):
        Unfinished()(ones(1))


def test_children_are_the_modules_among_the_attributes():
    """named_children() gives the submodules of this module in order, each with the name of its attribute."""
    two = Two()
    assert_equal([name for name, _ in two.named_children()], ["first", "second"])
    assert [child for _, child in two.named_children()] == [two.first, two.second]


def test_children_come_without_names_too():
    """children() gives the same modules as named_children()."""
    two = Two()
    assert list(two.children()) == [two.first, two.second]
    assert next(two.children()) is two.first, "children() must be an iterator, whose first item is two.first"


def test_modules_are_named_by_their_path():
    """named_modules() gives the module itself, named "", then all below it, parents first, names joined by dots."""
    names = [name for name, _ in Tree().named_modules()]
    assert_equal(names, ["", "left", "left.first", "left.second", "right"])
    names = [name for name, _ in Two().named_modules(prefix="model")]
    assert_equal(names, ["model", "model.first", "model.second"])


def test_a_shared_module_comes_once():
    """A module that stands in two places, or that contains itself, is listed once, under its first name."""
    two = Two()
    two.second = two.first
    two.first.parent = two
    assert_equal([name for name, _ in two.named_modules()], ["", "first"])


def test_modules_come_without_names_too():
    """modules() gives the same modules as named_modules()."""
    tree = Tree()
    assert list(tree.modules()) == [tree, tree.left, tree.left.first, tree.left.second, tree.right]
    assert next(tree.modules()) is tree, "modules() must be an iterator, whose first item is the tree itself"


def test_parameters_are_named_by_their_path():
    """named_parameters() finds the parameters of the whole tree, a module's own before its children's."""
    names = [name for name, _ in Tree().named_parameters()]
    assert_equal(names, ["left.shift", "left.first.factor", "left.second.factor", "right.factor"])


def test_parameters_of_one_module_only():
    """named_parameters(recurse=False) stays in this module, and prefix= is put before every name."""
    assert_equal([name for name, _ in Two().named_parameters(recurse=False)], ["shift"])
    names = [name for name, _ in Scale(1).named_parameters(prefix="model")]
    assert_equal(names, ["model.factor"])


def test_tied_parameters_come_once():
    """A parameter that stands in two places is listed once: an optimizer must not move it twice."""
    two = Two()
    two.second.factor = two.first.factor
    assert_equal([name for name, _ in two.named_parameters()], ["shift", "first.factor"])


def test_equal_parameters_are_not_the_same():
    """Two parameters with equal entries are two."""
    assert_equal(len(list(Two().named_parameters())), 3)


def test_parameters_come_without_names_too():
    """parameters() gives the same Tensors as named_parameters(), of one module only with recurse=False."""
    two = Two()
    assert [id(p) for p in two.parameters()] == [
        id(p) for p in (two.shift, two.first.factor, two.second.factor)
    ]
    assert [id(p) for p in two.parameters(recurse=False)] == [id(two.shift)]
    assert next(two.parameters()) is two.shift, (
        "parameters() must be an iterator, whose first item is two.shift"
    )


def test_a_parameter_set_later_is_found():
    """An attribute that is replaced or added after __init__ counts at once."""
    scale = Scale(2)
    scale.factor = Parameter(zeros(5))
    scale.extra = Parameter(zeros(6))
    assert_equal({name: p.shape for name, p in scale.named_parameters()}, {"factor": (5,), "extra": (6,)})


def test_buffers_are_found_as_parameters_are():
    """named_buffers() and buffers() find the Buffers of the tree; a Buffer is not a parameter."""
    two = Two()
    assert_equal([name for name, _ in two.named_buffers()], ["first.count", "second.count"])
    assert [id(b) for b in two.buffers()] == [id(two.first.count), id(two.second.count)]
    assert_equal([name for name, _ in two.first.named_buffers(prefix="m", recurse=False)], ["m.count"])
    two.second.count = two.first.count
    assert_equal([name for name, _ in two.named_buffers()], ["first.count"])


def test_modules_know_whether_they_train():
    """A new module trains; eval() and train() switch the whole tree and return the module."""
    tree = Tree()
    assert tree.training
    assert tree.eval() is tree
    assert_equal([module.training for module in tree.modules()], [False] * 5)
    assert tree.train() is tree
    assert_equal([module.training for module in tree.modules()], [True] * 5)
    tree.left.train(False)
    assert_equal([module.training for module in tree.modules()], [True, False, False, False, True])


def test_a_model_can_be_frozen():
    """requires_grad_(False) freezes every parameter of the tree, requires_grad_() thaws it; both return the module."""
    tree = Tree()
    assert tree.requires_grad_(False) is tree
    assert_equal([p.requires_grad for p in tree.parameters()], [False] * 4)
    tree.requires_grad_()
    assert_equal([p.requires_grad for p in tree.parameters()], [True] * 4)


def test_zero_grad_forgets_the_gradients():
    """zero_grad() sets every parameter's .grad to None."""
    tree = Tree()
    for parameter in tree.parameters():
        parameter.grad = Tensor(np.ones(parameter.shape, np.float32))
    tree.zero_grad()
    assert_equal([p.grad for p in tree.parameters()], [None] * 4)


def test_apply_visits_children_before_parents():
    """apply(fn) calls fn on every module of the tree, children first, and returns the module."""
    tree, visited = Tree(), []
    names = {id(module): name for name, module in tree.named_modules()}
    assert tree.apply(lambda module: visited.append(names[id(module)])) is tree
    assert_equal(visited, ["left.first", "left.second", "left", "right", ""])


def test_to_converts_the_tensors_in_place():
    """to(float64) converts parameters, buffers and gradients, dtype= too; the Tensors stay the same objects."""
    scale = Scale(2)
    factor, scale.steps = scale.factor, Buffer(np.array([3]))
    scale.factor.grad = Tensor(np.ones(2, np.float32))
    assert scale.to(np.float64) is scale
    assert scale.factor is factor, "the parameter is another object: an optimizer would lose it"
    assert_close(scale.factor, np.ones(2), "the parameter")
    assert_close(scale.factor.grad, np.ones(2), "its gradient")
    assert_close(scale.count, np.zeros(1), "the buffer")
    assert_close(scale.steps, np.array([3]), "the integer buffer (integers keep their dtype)")
    assert scale.factor.requires_grad
    scale.to(dtype=np.float32)
    assert_close(scale.factor, np.ones(2, np.float32), "the parameter after to(dtype=float32)")
    assert_close(scale.factor.grad, np.ones(2, np.float32), "its gradient after to(dtype=float32)")


def test_a_module_prints_its_options():
    """A module without children prints as Name(options), the options from extra_repr(), empty by default."""

    class Blur(Module):
        def extra_repr(self):
            return "radius=2"

    assert_equal(repr(Scale(2)), "Scale()")
    assert_equal(repr(Blur()), "Blur(radius=2)")


def test_a_module_prints_as_a_tree():
    """A module with children prints each on its own line, indented by two spaces, as PyTorch does."""
    expected = (
        "Tree(\n  (left): Two(\n    (first): Scale()\n    (second): Scale()\n  )\n  (right): Scale()\n)"
    )
    assert_equal(repr(Tree()), expected)
