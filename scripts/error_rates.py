"""How well the listener understands what was made: character error rates per locale and line, from receipts.

    python scripts/error_rates.py out

Prints a Markdown table; every deliverable of every locale counts.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path


def main() -> None:
    rates: dict[tuple[str, str], list[float]] = defaultdict(list)
    lines: dict[str, None] = {}
    files = [*Path(sys.argv[1]).rglob("*.receipt.json")]
    for path in files:
        receipt = json.loads(path.read_text(encoding="utf-8"))["receipt"]
        for clip in receipt["timeline"]:
            lines[clip["line"]] = None
            rates[receipt["clearance"]["locale"], clip["line"]].append(clip["error_rate"])
    print(f"{len(files)} deliverables\n")
    print("| locale | " + " | ".join(lines) + " |")
    print("|---" * (len(lines) + 1) + "|")
    for locale in sorted({locale for locale, _ in rates}):
        cells = [rates[locale, line] for line in lines]
        print(f"| {locale} | " + " | ".join(f"{sum(c) / len(c):.2f} / {max(c):.2f}" for c in cells) + " |")


if __name__ == "__main__":
    main()
