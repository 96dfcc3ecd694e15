"""Names in `robustness.csv`: what is changed in the prompts that θ is read from."""

TEMPLATE, WRONG, NUMBER, INSTRUCTION, NO_TASK, OTHER_TASK, PUBLISHED = ASPECTS = (
    "template", "wrong_answers", "demonstrations", "instruction", "no_task", "other_task", "published",
)  # fmt: skip
REGULAR, THETA = "regular", "theta"
COSINE, CENTRED = COSINES = ("cosine", "cosine_centred")
OWN = "paper"  # the study's own template
ELSEWHERE = "elsewhere"  # of templates: mean over the others
ANY = "any"  # of instructions: mean over wordings
