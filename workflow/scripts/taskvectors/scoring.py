"""When does a predicted token count as correct? (paper, appendix A.1 and the released code)"""

from collections.abc import Sequence


def is_correct(predicted: str, answers: Sequence[str], *, prefix: bool = False) -> bool:
    """Compare a decoded token with the accepted answers, outer spaces aside.

    Args:
        predicted: the decoded token.
        answers: accepted answers.
        prefix: also accept when one is the beginning of the other (the paper's rule for knowledge tasks).
    """
    token = predicted.strip()
    if not token:
        return False
    wanted = [answer.strip() for answer in answers]
    if prefix:
        return any(answer.startswith(token) or token.startswith(answer) for answer in wanted)
    return token in wanted
