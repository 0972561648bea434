"""Answers to the exercises of 16: for each a right one, and wrong ones by what is said of them."""

ANSWERS = {
    "rounds": (
        "rounds = lambda n, threads: (n + threads - 1) // threads",
        {
            "leave over need one more": "lambda n, threads: n // threads",
            "there is no further round": "lambda n, threads: n // threads + 1",
            "no fractions": "lambda n, threads: n / threads",
        },
    ),
    "fusion_gain": (
        "fusion_gain = (2 + 2 + 3) / 2",
        {
            "that counts kernels": "3.0",
            "count what each kernel reads": "1.5",
            "read x only once": "4.0",
            "the other way round": "2 / 7",
        },
    ),
    "halvings": (
        """
def halvings(threads):
    count = 0
    while threads > 1:
        threads, count = threads // 2, count + 1
    return count
""",
        {
            "one addition after the other": "lambda threads: threads - 1",
            "of the first round": "lambda threads: threads // 2",
            "there is none after it": "lambda threads: threads.bit_length()",
        },
    ),
    "shares": (
        """
def shares(x, threads):
    return jnp.stack([x[t::threads].sum() for t in range(threads)])
""",
        {
            "let them read neighbours": "lambda x, threads: x.reshape(threads, -1).sum(1)",
            "add the later rounds": "lambda x, threads: x[:threads]",
            "what the block makes of the shares": "lambda x, threads: x.sum()",
        },
    ),
}
