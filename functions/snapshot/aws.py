"""How every AWS client of the function waits and tries again."""

from botocore.config import Config

# botocore waits 60 s for each answer by default, five times over: that alone could use up an invocation.
CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})
