"""A table of numbers of five digits, as words, for measuring speech that is made of them: python examples/speech/numbers.py FILE.csv"""

import random
import sys
from pathlib import Path

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NUMBERS, LENGTH = 100, 5


def main(file: Path) -> None:
    draws = random.Random(0)
    rows = [" ".join(draws.choices(DIGITS, k=LENGTH)) for _ in range(NUMBERS)]
    file.write_text("\n".join(["text,split", *(f"{row},test" for row in rows), ""]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
