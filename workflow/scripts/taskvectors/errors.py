"""The one exception that is meant for the person at the keyboard."""


class StudyError(Exception):
    """Something the user can mend: the message says what is wrong, where, and what to do.

    Scripts print it without a traceback (see `taskvectors.progress.reported`).
    """
