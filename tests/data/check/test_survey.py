"""Groups of images that show one picture: parts of the whole, joined as they should be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vitrail.data.check.near import Pair
from vitrail.data.check.survey import joined, same_keys


@given(
    st.lists(st.integers(0, 5), max_size=20), st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=8)
)
def test_groups_are_what_can_be_reached(keys, links):
    links = [(min(link), max(link)) for link in links if max(link) < len(keys) and link[0] != link[1]]
    exact = same_keys([bytes([key]) if key else None for key in keys])
    groups = joined(exact, [Pair(*link, 0.95) for link in links])
    reached = [{one} for one in range(len(keys))]
    edges = [*links, *((a, b) for a in range(len(keys)) for b in range(len(keys)) if keys[a] and keys[a] == keys[b])]
    for _ in keys:
        for one, other in edges:
            reached[one] = reached[other] = reached[one] | reached[other]
    expected = {tuple(sorted(those)) for those in reached if len(those) > 1}
    assert {group.members for group in groups} == expected
    for group in groups:
        assert group.exact == (
            len({keys[one] for one in group.members}) == 1
            and keys[group.members[0]] != 0
            and not any(link[0] in group.members for link in links)
        )
        assert group.likeness == (1.0 if not any(link[0] in group.members for link in links) else 0.95)


def test_the_likeness_of_a_group_is_that_of_its_weakest_link():
    (group,) = joined([], [Pair(0, 3, 0.99), Pair(3, 5, 0.94), Pair(1, 5, 0.97)])
    assert group.members == (0, 1, 3, 5)
    assert group.likeness == 0.94
    assert not group.exact
