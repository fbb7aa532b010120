"""E6xx: networks; of those that a derived program meets (E65x), `bad` and `good` are command lines."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from netsor.diagnostics.catalogue.entry import Entry
from netsor.diagnostics.catalogue.words import bracketed, said, short, whole_line
from netsor.diagnostics.data import Diagnostic, Edit, Label, Span

_NET = "network mlp(ξ : 3)\nmatrix U : (n, 3)\nmatrix W\nvector v ~ N(0, 1)\nx := tanh(W tanh(U ξ))\n"
_D1 = "Setup D.1: f(ξ) = vᵀ x(ξ) / √n, with v a vector of parameters"
_CENTRED = "give `{}` mean 0, independent of the rest, and use it in the readout alone"
# A product as a readout has it, and what divides it.
_READOUT = re.compile(r"((?:\w+\s*(?:ᵀ|⊤|\^T)\s*|⟨).*?)(?:\s*/\s*(?:n|√n|√ n|sqrt n))?\Z", re.S)

_NAME = r"[^\W\d][\w\u0300-\u036f]*(?:\[[^\[\]]*\])?"
_BY = r"\s*(?:[*⊙·.∘]|\s)\s*"
# mean(v * x) and v · x, with or without a power of n.
_FACTORS = re.compile(
    rf"(?:√n\s*\*?\s*)?(?:mean\(\s*(?P<a>{_NAME}){_BY}(?P<b>{_NAME})\s*\)|(?P<c>{_NAME})\s*[*⊙·.∘]\s*(?P<d>{_NAME}))"
    r"(?:\s*/\s*(?:n|√n|√ n|sqrt n|sqrt\(n\)))?"
)

# A readout and a number behind it.
_BIASED = re.compile(r"(.+\S)\s*[-+]\s*(\d+(?:\.\d+)?(?:e-?\d+)?)", re.S)

E601 = Entry(
    "E601",
    "an output of a network is not a readout",
    "A network gives f(ξ) = vᵀ x(ξ) / √n, with v a vector of parameters that it declares; several terms "
    "of this form may be added.",
    bad=_NET + "output f := mean(x)\n",
    good=_NET + "output f := vᵀ x / √n\n",
    paper="Setup D.1",
)


def readout_shape(span: Span, line: Span, name: str, declared: Collection[str] = ()) -> Diagnostic:
    """`line` is the statement, `name` the output's own, `declared` the vectors that the network declares."""
    text = span.text.strip()
    product, factors = _READOUT.match(text), _FACTORS.fullmatch(text)
    made = product[1] if product else ""
    if factors is not None and not product:
        # Of two vectors side by side, the one that is declared reads out.
        a, b = factors["a"] or factors["c"], factors["b"] or factors["d"]
        made = f"{a}ᵀ {b}" if a in declared else f"{b}ᵀ {a}" if b in declared else ""
    biased = _BIASED.fullmatch(text)
    if biased is not None and product:
        plain = Edit(line, f"output {name} := {biased[1]}")
        return E601(
            f"`{short(biased[2])}` is a number, and a readout may end in a bias of the output",
            span,
            "a readout and a number",
            notes=("a bias is a parameter: `scalar c ~ N(0, 1)` is a line of its own, and its share of the NNGP is 1",),
            hint=f"leave the number out, and write {said(plain)}",
            edits=(plain,),
        )
    edits = (Edit(line, f"output {name} := {made} / √n"),) if made else ()
    return E601(
        f"`{short(span.text)}` is not a readout",
        span,
        "a network's output is vᵀ x / √n",
        notes=(_D1,),
        hint=f"write {said(edits[0])}" if edits else f"make it one, as in `output {name} := vᵀ x / √n`",
        edits=edits,
    )


def readout_cancels(span: Span) -> Diagnostic:
    return E601(
        f"the terms of `{short(span.text)}` cancel: this output is 0 for every input",
        span,
        "always 0",
        notes=(_D1,),
        hint="remove one of the terms, or change the sign of one",
    )


E602 = Entry(
    "E602",
    "a network without a readout",
    "A network ends with the output that it computes.",
    bad=_NET + "y := tanh(x)\n",
    good=_NET + "output f := vᵀ x / √n\n",
    paper="Setup D.1",
)


def no_readout(span: Span, name: str) -> Diagnostic:
    return E602(
        f"the network `{name}` has no readout",
        span,
        "no `output` line",
        hint="end it with its output, as in `output f := vᵀ x / √n`",
    )


E603 = Entry(
    "E603",
    "something is trained that is not a parameter",
    "SGD updates the matrices and vectors that the network declares.",
    bad=_NET + ("train x\noutput f := vᵀ x / √n\n"),
    good=_NET + ("train W\noutput f := vᵀ x / √n\n"),
    paper="Setup D.1",
)


def train_not_parameter(span: Span, name: str, kind: str) -> Diagnostic:
    return E603(
        f"`{name}` is {kind}, and SGD updates parameters",
        span,
        "not a parameter",
        notes=("parameters are the matrices and vectors that the network declares",),
        hint="name a declared matrix or vector, as in `train W`",
    )


E604 = Entry(
    "E604",
    "`train` in a program",
    "A program computes; only a network has parameters that SGD updates.",
    bad="matrix W\nvector x ~ N(0, 1)\ntrain W\noutput mean((W x)^2)\n",
    good=_NET + ("train W\noutput f := vᵀ x / √n\n"),
    paper="Setup D.1",
)


def train_in_program(span: Span) -> Diagnostic:
    edit = Edit(whole_line(span), "")
    return E604(
        "`train` belongs to a network, and this is a program",
        span,
        "nothing is trained here",
        hint="remove this line, or begin the file with a header, as in `network f(ξ : 3)`",
        edits=(edit,),
    )


E605 = Entry(
    "E605",
    "training a parameter of variance zero without a multiplier",
    "In the NTK parametrization a parameter is √σ² times one of unit variance. With σ² = 0 the multiplier "
    "would be 0, so that training moves nothing: name the multiplier.",
    bad=_NET + ("vector b ~ N(0, 0)\ntrain b\noutput f := vᵀ (x + b) / √n\n"),
    good=_NET + ("vector b ~ N(0, 0)\ntrain b * 1\noutput f := vᵀ (x + b) / √n\n"),
    paper="Setup D.1",
)


def train_zero_variance(span: Span, name: str) -> Diagnostic:
    edit = Edit(span, f"{span.text} * 1")
    return E605(
        f"`{name}` has variance 0, so its multiplier √σ² is 0 and training would not move it",
        span,
        "not trained by this",
        hint=f"give the multiplier: {said(edit)}",
        edits=(edit,),
    )


def train_all_zero_variance(
    span: Span, names: Sequence[str], states: Collection[str], others: Sequence[str]
) -> Diagnostic:
    """`span` is the word `all`, the names those of vectors whose variance is 0, some of them initial states.

    `others` are all other parameters.
    """
    edit = Edit(span, ", ".join(["all", *(f"{name} * 1" for name in names)]))
    edits: tuple[Edit, ...] = (edit,)
    hint = f"give the multiplier: {said(edit)}"
    if states:
        left_out = Edit(span, ", ".join([*others, *(f"{name} * 1" for name in names if name not in states)]))
        edits, hint = (left_out, edit), f"leave initial states out: {said(left_out)}; or train them: {said(edit)}"
    listed = ", ".join(f"`{name}`" for name in names[:4]) + (", …" if len(names) > 4 else "")
    return E605(
        f"{listed} {'has' if len(names) == 1 else 'have'} variance 0, so the multiplier √σ² is 0 and training would "
        f"not move {'it' if len(names) == 1 else 'them'}",
        span,
        "names every parameter",
        hint=hint,
        edits=edits,
    )


def multiplier_of_all(item: Span, word: Span) -> Diagnostic:
    """`item` is `all * c`."""
    edit = Edit(item, word.text)
    return E606(
        "`all` names every parameter, each with its own √σ²",
        item,
        "a multiplier belongs to one parameter",
        hint=f"write {said(edit)}, and name those with another multiplier besides, as in `train all, b * 0.5`",
        edits=(edit,),
    )


E606 = Entry(
    "E606",
    "a multiplier for one of several correlated vectors",
    "Jointly Gaussian vectors are whitened together, so a multiplier for one of them has no meaning.",
    bad=_NET + ("vector a, b ~ N(0, [[1, 0.5], [0.5, 1]])\ntrain b * 2\noutput f := vᵀ (x + a + b) / √n\n"),
    good=_NET + ("vector a ~ N(0, 1)\nvector b ~ N(0, 1)\ntrain b * 2\noutput f := vᵀ (x + a + b) / √n\n"),
)


def train_joint(span: Span, name: str, item: Span) -> Diagnostic:
    """`item` is the parameter with its multiplier."""
    edit = Edit(item, span.text)
    return E606(
        f"`{name}` is trained with a multiplier, and it is correlated with other vectors",
        span,
        "jointly Gaussian vectors are whitened",
        hint=f"declare it by itself, or leave the multiplier out: {said(edit)}",
        edits=(edit,),
    )


E607 = Entry(
    "E607",
    "a parameter that is named twice",
    "Each parameter is trained once, with one multiplier.",
    bad=_NET + ("train W\ntrain W * 2\noutput f := vᵀ x / √n\n"),
    good=_NET + ("train W * 2\noutput f := vᵀ x / √n\n"),
)


def trained_everything(span: Span) -> Diagnostic:
    """A word for all parameters that is not the language's."""
    edit = Edit(span, "all")
    return E603(
        f"`{span.text}` is not a parameter",
        span,
        "every parameter?",
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


def trained_twice(span: Span, name: str, place: Span) -> Diagnostic:
    """`place` holds the parameter with its multiplier and comma, or the line where it is the only one."""
    return E607(
        f"`{name}` is named twice in `train`", span, "second time", hint="name it once", edits=(Edit(place, ""),)
    )


E608 = Entry(
    "E608",
    "two examples in one network",
    "A network is the program of one example, whose inputs may be several. Readouts that read different inputs "
    "are those of different examples: netsor itself runs a network on all rows that it is given.",
    bad=(
        "network pair(ξ : 2, ζ : 2)\n"
        "matrix U : (n, 2)\n"
        "vector v ~ N(0, 1)\n"
        "x := tanh(U ξ)\n"
        "y := tanh(U ζ)\n"
        "output f := vᵀ x / √n\n"
        "output g := vᵀ y / √n\n"
    ),
    good="network single(ξ : 2)\nmatrix U : (n, 2)\nvector v ~ N(0, 1)\nx := tanh(U ξ)\noutput f := vᵀ x / √n\n",
    paper="Setup D.1",
)


def two_examples(span: Span | None, first: tuple[str, str], second: tuple[str, str], place: Span | None) -> Diagnostic:
    """Two readouts, each with an input that it reads and the other does not; `place` is the first one's."""
    return E608(
        f"`{first[0]}` reads `{first[1]}`, `{second[0]}` reads `{second[1]}`: two examples in one network",
        span,
        f"reads `{second[1]}` alone",
        labels=(Label(place, f"reads `{first[1]}` alone"),) if place else (),
        notes=("a network is the program of one example; `netsor` runs it on as many as it is given",),
        hint=f"write the network for `{first[1]}` alone, and give both examples as rows of `--inputs`",
    )


E609 = Entry(
    "E609",
    "a kernel of a program",
    "The NNGP kernel and the NTK belong to networks: they compare a network at two inputs.",
    bad="netsor ntk programs/algorithm1.netsor --inputs X.npy",
    good="netsor ntk mlp.netsor --inputs X.npy",
    paper="Setup D.1",
    stage="run",
)


def no_kernels(program: str) -> Diagnostic:
    return E609(
        f"`{program or 'the file'}` is a program, and kernels belong to a network",
        hint="start the file with `network NAME(ξ : 3)` and end it with `output f := vᵀ x / √n`",
    )


E610 = Entry(
    "E610",
    "evaluating a network",
    "A network is the program of one example and has no inputs yet. On rows of inputs it is a program whose outputs "
    "are its kernels; its backward pass and its training are programs too, and those have limits.",
    bad="netsor eval mlp.netsor",
    good="netsor eval mlp.netsor --inputs X.npy",
    paper="Setup D.1",
    stage="run",
)


def network_without_rows(name: str, file: str) -> Diagnostic:
    """A network where a program is evaluated."""
    return E610(
        f"`{name}` is a network, the program of one example, and has limits and values on given inputs only",
        None,
        hint=f"give it rows with `--inputs`, as in `netsor eval {file} --inputs X.npy`",
    )


E611 = Entry(
    "E611",
    "the path formula does not hold",
    "The sum over paths leaves out the terms in which the backward pass is paired with itself. They "
    "vanish where no matrix and its transpose are both in the forward pass and the Simple GIA Check "
    "passes.",
    bad="netsor ntk autoencoder.netsor --inputs X.npy --method paths",
    good="netsor ntk autoencoder.netsor --inputs X.npy",
    paper="Assumption A2, Eqs. 95, 96 and 103",
    stage="run",
)


def paths_both_forward(network: str, because: str, span: Span | None) -> Diagnostic:
    return E611(
        f"the sum over paths does not hold for `{network}`: {because}",
        span,
        "W and Wᵀ are both forward",
        notes=("Żs that pair the backward pass with itself do not vanish then, and Eqs. 95–96 leave them out",),
        hint="use `--method backward`, which has no such restriction",
    )


def paths_without_gia(network: str, because: str, span: Span | None) -> Diagnostic:
    return E611(
        f"the sum over paths does not hold for `{network}`: {because}",
        span,
        notes=("Eq. 103 uses the Simple GIA Check",),
        hint="use `--method backward`",
    )


E612 = Entry(
    "E612",
    "training that diverges",
    "A step of kernel gradient descent multiplies an error by 1 − η λ, where λ is an eigenvalue of the tangent "
    "kernel times the curvature of the loss. Far above 2/λ the outputs outgrow all numbers within the steps.",
    bad="netsor train mlp.netsor --inputs X.npy --targets y.npy --steps 400 --lr 1000",
    good="netsor train mlp.netsor --inputs X.npy --targets y.npy --steps 4 --lr 0.5",
    paper="Eq. 68",
    stage="run",
)


def diverges(lr: float, step: int) -> Diagnostic:
    return E612(
        f"training diverges: with the learning rate {lr:g} the outputs are not finite after step {step}",
        notes=("a step of kernel gradient descent multiplies an error by 1 − η λ ℓ'', λ an eigenvalue of the kernel",),
        hint="take a smaller `--lr`",
    )


W613 = Entry(
    "W613",
    "a learning rate that overshoots",
    "Where η λ exceeds 2, a step makes an error larger than it was. The limits are computed all the same.",
    bad="netsor train mlp.netsor --inputs X.npy --targets y.npy --steps 2 --lr 20",
    good="netsor train mlp.netsor --inputs X.npy --targets y.npy --steps 2 --lr 0.5",
    paper="Eq. 68",
    severity="warning",
    stage="run",
)


def overshoots(lr: float, step: int, gain: float) -> Diagnostic:
    """A step multiplies the error of its batch by 1 − `gain`, with |1 − gain| > 1."""
    return W613(
        f"the learning rate {lr:g} overshoots: step {step} multiplies an error on its batch by {1 - gain:.3g}",
        notes=("an error along an eigenvector of K̊ ℓ'' becomes 1 − η λ times itself, and grows where η λ > 2",),
        hint=f"below --lr {2 * lr / gain:.3g} that step is stable",
    )


W614 = Entry(
    "W614",
    "kernel gradient descent is not expected to match",
    "Theorem D.2 needs polynomially bounded derivatives, and arguments that lie on no "
    "kink (as relu's does at a row of zeros where the bias starts at zero). Without them the unrolled "
    "program still has its limit, which is computed, and kernel gradient descent stands beside it for comparison.",
    bad="netsor train steep.netsor --inputs X.npy --targets y.npy --steps 1",
    good="netsor train mlp.netsor --inputs X.npy --targets y.npy --steps 1",
    paper="Theorem D.2",
    severity="warning",
    stage="run",
)


def not_covered(network: str, because: str, span: Span | None, unknown: bool) -> Diagnostic:
    """Theorem D.2 does not say that kernel gradient descent is the limit of training, or it is `unknown` whether."""
    notes = "the limit of the unrolled program is computed by Definition B.3, whatever Theorem D.2 says"
    if not unknown:
        notes = "the limit of the unrolled program (`netsor train --limit`) has the one-sided derivative there"
    hint = "where biases start with a positive variance, no argument lies on its kink"
    return W614(
        f"kernel gradient descent is not expected to match the training of `{network}`: {because}",
        span,
        notes=(notes,),
        hint="`netsor check --exact` computes what the assumptions leave open" if unknown else hint,
    )


E615 = Entry(
    "E615",
    "training from the network's own outputs has no limit",
    "At step 0 the outputs vᵀx/√n tend to a Gaussian process, not to numbers. The limit of training is that from "
    "given outputs; `gaussian` draws them from the process.",
    bad="netsor train mlp.netsor --inputs X.npy --targets y.npy --steps 1 --f0 network --limit",
    good="netsor train mlp.netsor --inputs X.npy --targets y.npy --steps 1 --f0 gaussian --limit",
    paper="D.1.1",
    stage="run",
)


def no_process(network: str) -> Diagnostic:
    """Outputs at step 0 that are to be drawn, and grow with the width."""
    return E615(
        f"the outputs of `{network}` at step 0 grow like √n and tend to no Gaussian process, so f0 = gaussian "
        "has nothing to draw from",
        notes=("E Z^v Z^x is not known to be zero (W618)",),
        hint="give the outputs as numbers, or `--f0 zero`",
    )


def random_start(network: str) -> Diagnostic:
    """The limit of training from f_0 = vᵀx/√n, which is random in the limit."""
    return E615(
        f"the outputs of `{network}` at step 0 tend to a Gaussian process and to no number, so with f0 = network "
        "training has no limit",
        notes=("Theorem D.2 speaks of the training from given outputs at step 0 (D.1.1)",),
        hint="`--f0 gaussian` draws them from that process; `--width N` runs networks from their own",
    )


W616 = Entry(
    "W616",
    "a readout that no input reaches",
    "An output that does not depend on the example is the same number for all of them, and has a constant kernel.",
    bad="network constant(ξ : 2)\nmatrix W\nvector b, v ~ N(0, 1)\nx := tanh(W b)\noutput f := vᵀ x / √n\n",
    good="network varied(ξ : 2)\nmatrix U : (n, 2)\nvector v ~ N(0, 1)\nx := tanh(U ξ)\noutput f := vᵀ x / √n\n",
    paper="Setup D.1",
    severity="warning",
)


def readout_without_input(span: Span | None, name: str) -> Diagnostic:
    return W616(
        f"the readout `{name}` does not depend on the example",
        span,
        "the same for every input",
        hint="let it depend on an input through an n×d matrix, as in `g := U ξ`",
    )


E617 = Entry(
    "E617",
    "a covariance of the outputs that is not known",
    "The NNGP kernel is the covariance of the outputs at initialization. It is E Z^v Z^v' E Z^x Z^x' where v is "
    "centred, independent of all else and used in the readout alone, and it is computed where the coordinates are "
    "iid, or change their signs one by one. In other networks fluctuations of the layers below enter it.",
    bad="netsor ntk tied.netsor --inputs X.npy --nngp",
    good="netsor ntk mlp.netsor --inputs X.npy --nngp",
    paper="Setup D.1, D.1.1",
    stage="run",
)


def unknown_covariance(span: Span | None, name: str, v: str, x: str, cause: str) -> Diagnostic:
    """The covariance of an output vᵀ x / √n; `cause` is in what way v is not the paper's."""
    return E617(
        f"the covariance of the output `{name}` at initialization is not known: {cause}",
        span,
        f"`{v}` and `{x}` are not independent and centred",
        notes=(
            "it is E Z^v Z^v' E Z^x Z^x' for a centred v that is used nowhere else, and another number "
            "where coordinates are iid; here fluctuations of the layers below enter it",
        ),
        hint=_CENTRED.format(v),
    )


E619 = Entry(
    "E619",
    "too many rows for a program of kernels",
    "`eval`, `converge`, `derive`, `report` and `draw` make one program of a network and its rows, in which every "
    "entry of its kernels is an output. `netsor ntk` writes the limit down once for all rows, and has no such bound.",
    bad="netsor eval mlp.netsor --inputs thousand_rows.npy",
    good="netsor ntk mlp.netsor --inputs thousand_rows.npy",
    paper="Eqs. 97–100",
    stage="run",
)


def too_many_entries(network: str, entries: int, most: int) -> Diagnostic:
    """More entries of a kernel than a program should have outputs."""
    return E619(
        f"the kernels of `{network}` on these rows have {entries:,} different entries, each of which would be an "
        f"output of the program, and {most} are the most",
        None,
        hint="give fewer rows, or use `netsor ntk`, which computes kernels of any size",
    )


W618 = Entry(
    "W618",
    "outputs that grow like √n",
    "f = vᵀx/√n is √n times the mean of v x. Where E Z^v Z^x is not zero, the outputs have no limit: the paper's "
    "readouts are centred, independent of all else, and used nowhere else.",
    bad=("network drifting(ξ : 2)\nmatrix U : (n, 2)\nvector v ~ N(1, 1)\nx := relu(U ξ)\noutput f := vᵀ x / √n\n"),
    good=("network centred(ξ : 2)\nmatrix U : (n, 2)\nvector v ~ N(0, 1)\nx := relu(U ξ)\noutput f := vᵀ x / √n\n"),
    paper="Setup D.1",
    severity="warning",
)


def growing_output(span: Span | None, name: str, v: str, x: str, cause: str) -> Diagnostic:
    return W618(
        f"the output `{name}` grows like √n at initialization, unless E {v} {x} = 0: {cause}",
        span,
        f"√n times the mean of {v} {x}",
        notes=("no symmetry makes E Z^v Z^x zero here, and the paper's readouts are centred (Setup D.1)",),
        hint=_CENTRED.format(v),
    )


E620 = Entry(
    "E620",
    "a bias of the output that is none",
    "`scalar c ~ N(0, s)` is a trained bias of the output: a readout may end in `+ c`, and its share of NNGP and NTK "
    "is s. It has mean 0 and stands in readouts only; a bias of hidden units is a vector.",
    bad=_NET + "scalar c ~ N(0, 1)\noutput f := vᵀ tanh(x + c) / √n\n",
    good=_NET + "scalar c ~ N(0, 1)\noutput f := vᵀ x / √n + c\n",
    paper="Setup D.1",
)


def bias_elsewhere(span: Span, name: str, declared: Span | None) -> Diagnostic:
    """`declared` is the name in its declaration."""
    edits: tuple[Edit, ...] = ()
    if declared is not None:
        start = declared.source.text.rfind("scalar", 0, declared.start)
        edits = (Edit(Span(declared.source, start, start + len("scalar")), "vector"),)
    return E620(
        f"`{name}` is a bias of the output, and this is not a term of a readout",
        span,
        "only a readout adds it, as in `vᵀ x / √n + c`",
        hint=f"declare it as a {said(edits[0])}, one number for each unit" if edits else "declare it as a vector",
        edits=edits,
    )


def uniform_bias(span: Span, low: str, high: str) -> Diagnostic:
    edit = Edit(span, f"N(0, ({high} - {bracketed(low)})^2/12)")
    return E620(
        "a bias of the output is Gaussian, as the outputs are at initialization",
        span,
        "not N(0, s)",
        hint=f"write {said(edit)}, which has this variance",
        edits=(edit,),
    )


def bias_in_program(span: Span, names: str, law: Span) -> Diagnostic:
    edit = Edit(span, f"vector {names} ~ {law.text}")
    return E620(
        f"`{names}` has a law, and in a program a scalar is a constant",
        span,
        "a scalar with a law",
        notes=("in a network it is a bias of the output; a constant is `scalar c = 2`",),
        hint=f"write {said(edit)} for n iid coordinates",
        edits=(edit,),
    )


def bias_with_mean(span: Span, name: str) -> Diagnostic:
    edit = Edit(span, "0")
    return E620(
        f"the bias `{name}` of the output must have mean 0",
        span,
        "mean is not 0",
        hint=f"write {said(edit)}: a constant that is added to the outputs can be subtracted from the targets",
        edits=(edit,),
    )


E621 = Entry(
    "E621",
    "what needs Gaussian input matrices",
    "U ξ with uniform entries of U is not Gaussian, so that kernels depend on more than inner products of rows. NNGP "
    "and NTK are found entry by entry then; `--fit` and the sum over paths need Gaussian matrices.",
    bad="netsor predict uniform.netsor --inputs X.npy --targets y.npy --test Z.npy --fit s",
    good="netsor predict uniform.netsor --inputs X.npy --targets y.npy --test Z.npy",
    paper="Setup B.2",
    stage="run",
)


def uniform_inputs(span: Span | None, name: str) -> Diagnostic:
    return E621(
        f"the input matrix `{name}` has uniform entries, and this needs the kernels as functions of inner products",
        span,
        "not Gaussian",
        hint="choose the parameters without `--fit`",
    )


def uniform_paths(network: str, span: Span | None) -> Diagnostic:
    return E611(
        f"the sum over paths does not hold for `{network}`: it begins in Gaussian vectors, and this law is uniform",
        span,
        "not Gaussian",
        hint="use `--method backward`, which has no such restriction",
    )


E622 = Entry(
    "E622",
    "a readout by a matrix that applies to data too",
    "A readout vector is a parameter of its own. The columns of an n×d matrix are that where the matrix is used as Uᵀ "
    "only; one that encodes the input as well is not independent of what is read out.",
    bad="network tied(ξ : 2)\nmatrix U : (n, 2)\noutput f := Uᵀ tanh(U ξ) / √n\n",
    good="network untied(ξ : 2)\nmatrix U, V : (n, 2)\noutput f := Vᵀ tanh(U ξ) / √n\n",
    paper="Setup D.1",
)


def tied_readout(span: Span, name: str, columns: int, own: str) -> Diagnostic:
    """`columns` is the number of columns of the n×d matrix, `own` a free name for the matrix of a readout."""
    line = whole_line(span)
    before = line.text[: span.start - line.start]
    indented = before[: len(before) - len(before.lstrip())]
    declared = f"{indented}matrix {own} : (n, {columns})\n"
    edit = Edit(Span(span.source, line.start, span.end), f"{declared}{before}{own}ᵀ")
    return E622(
        f"`{name}` applies to data, and its transpose cannot be the readout as well",
        span,
        "tied to the input layer",
        notes=(
            "readout vectors are parameters of their own, independent of what they read (Setup D.1); weights may be "
            "tied inside, as an n×n matrix `W` and `Wᵀ`",
        ),
        hint=f"read out with a matrix of its own: {said(edit)}",
        edits=(edit,),
    )


E690 = Entry(
    "E690",
    "a PyTorch module that is not written as a network",
    "A module has a limit as its width grows when its weights are iid with a variance of c/n, or of c where finitely "
    "many numbers enter; when sums over the width are divided by n; and when its outputs are readouts vᵀx/√n. What has "
    "none, or none that is known, is refused with the module's path and the line of its source.",
    bad="netsor import model.py:attention_divided_by_sqrt_d --example 1,4,3",
    good="netsor import model.py:attention_divided_by_d --example 1,4,3",
    paper="Setup D.1",
    stage="run",
)


def not_imported(message: str, notes: tuple[str, ...], hint: str) -> Diagnostic:
    return E690(message, notes=notes, hint=hint)


def module_failed(file: str, fault: BaseException) -> Diagnostic:
    """The user's own file raised."""
    return E690(f"{file} failed: {type(fault).__name__}: {fault}")
