"""What the tests with invented inputs share."""

from hypothesis import settings
from hypothesis import strategies as st

# Any JSON; NaN and the infinities too, which Python's reader and some servers take for it.
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def examples(count: int) -> int:
    """So many examples with hypothesis's default profile, 20 times as many with that of `make soak`."""
    default = settings.get_profile("default").max_examples
    current = settings.get_profile(settings.get_current_profile_name()).max_examples
    return count * current // default
