"""Exercises that say which mistake was made.

check(apply_rope)           run the library's tests on your function, and read what they say
hint("apply_rope")          the next of four hints
with using(apply_rope):     the library, running on your function
EXERCISES["apply_rope"]     what an exercise consists of
"""

from minqwen.check.engine import CheckResult, check
from minqwen.check.hints import hint
from minqwen.check.registry import EXERCISES
from minqwen.check.replace import using

__all__ = ["EXERCISES", "CheckResult", "check", "hint", "using"]
