"""EqSim as loops over quads, in plain Python: slow, obvious, exact for whichever number type comes in."""

from __future__ import annotations


def relu(value):
    return value if value > 0 else value * 0


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def criterion(quads, *, text_side=True, image_side=True, group_side=False, weight=1, margin=0,
              margin_before_mean=False, normalize=False, positive=False, own_change=False):  # fmt: skip
    """``quads``: a list of (c0_i0, c1_i0, c0_i1, c1_i1)."""
    terms = []  # for each hinge: quad -> the two similarity changes it compares
    for on, changes in (
        (text_side, [lambda q: ((q[0] - q[1], q[0]), (q[3] - q[2], q[3]))]),
        (image_side, [lambda q: ((q[0] - q[2], q[0]), (q[3] - q[1], q[3]))]),
        (group_side, [lambda q: ((q[0] - q[2], q[0]), (q[0] - q[1], q[0])),
                      lambda q: ((q[3] - q[2], q[3]), (q[3] - q[1], q[3]))]),
    ):  # fmt: skip
        terms += changes if on else []
    loss = 0
    for change in terms:
        squares = []
        for quad in quads:
            (first, unit0), (second, unit1) = change(quad)
            if normalize:
                first, second = first / abs(unit0), second / abs(unit1)
            squares.append((first - second) ** 2)
        factor = 1 if normalize else weight
        if own_change:
            both = [(change(quad)[0][0], change(quad)[1][0]) for quad in quads]
            loss += factor * mean(relu(margin - 2 * min(first, second)) for first, second in both)
        elif margin_before_mean:
            loss += factor * mean(relu(square - margin) for square in squares)
        else:
            loss += factor * relu(mean(squares) - margin)
        if positive:
            loss += mean(relu(-change(quad)[0][0]) for quad in quads)
            loss += mean(relu(-change(quad)[1][0]) for quad in quads)
    return loss


def quad(sim, i, j):
    return sim[i][i], sim[i][j], sim[j][i], sim[j][j]


def all_pairs(sim, **options):
    size = len(sim)
    return criterion([quad(sim, i, j) for i in range(size) for j in range(i + 1, size)], **options)


def hard(sim, partners, **options):
    return criterion([quad(sim, i, j) for i, row in enumerate(partners) for j in row], **options)


def easy(sim, partners, *, weight=1, proportion=1, margin=0):
    left_out = {(i, j) for i, row in enumerate(partners) for j in row}
    size = len(sim)
    squares = [
        (sim[i][j] - sim[j][i]) ** 2 if (i, j) not in left_out and (j, i) not in left_out else 0
        for i in range(size)
        for j in range(size)
    ]
    return weight / proportion * relu(mean(squares) - margin)
