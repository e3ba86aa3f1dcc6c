"""Strategies and settings of the tests with generated inputs."""

from hypothesis import settings
from hypothesis import strategies as st

# Any JSON, and also NaN and infinities, which json.loads accepts and some servers send.
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def examples(count: int) -> int:
    """Return `count` for hypothesis's default profile, 40 times as many for that of `make soak`."""
    default = settings.get_profile("default").max_examples
    current = settings.get_profile(settings.get_current_profile_name()).max_examples
    return count * current // default
