# SPDX-License-Identifier: ISC
"""What makes a function a case of the suite."""

V1, V2, PRACTICE, CHOICE = "wisp 1", "wisp 2", "practice", "sockward"


def case(basis, rule, needs=None):
    """@basis: where the rule comes from. @needs: an option without which it is not run."""
    def mark(function):
        function.basis, function.rule, function.needs = basis, rule, needs
        return function
    return mark
