"""The tests. What their aids assert is shown as what they assert themselves."""

import pytest

pytest.register_assert_rewrite("tests.support")
