"""Answers of the shapes that Qwen3-VL writes: what a page must hold without breaking."""

# ruff: noqa: E501 - long lines are what some of them are about

CODE = """Here is the script from the screenshot:

```python
def total(lines: list[dict[str, float]], tax_rate: float = 0.19, currency: str = "EUR", rounding: int = 2, verbose: bool = False) -> str:
    # sums every line of the invoice
    value = sum(line["quantity"] * line["unit_price"] for line in lines)
    return f"{value * (1 + tax_rate):.{rounding}f} {currency}"
```

Run `python -m invoice.total --input /srv/documents/incoming/2026/11/28/scan-0001-of-0042-final-version.json --currency EUR`.
"""

JSON = """```json
{"invoice_number": "INV-2026-1128-000417", "issuer": {"name": "Nordlicht Papier GmbH", "vat_id": "DE123456789", "iban": "DE02120300000000202051"},
 "lines": [{"item": "Paper, A4, 80 g, white, 500 sheets", "quantity": 12, "unit_price": 3.49, "total": 41.88}], "total": 120.5, "paid": false, "note": null}
```
"""

HTML_TABLE = """The table in the picture:

<table border="1">
<thead><tr><th>Quarter</th><th colspan="2">Revenue (million EUR)</th></tr></thead>
<tbody>
<tr><td rowspan="2">Q1</td><td>North</td><td>12.4</td></tr>
<tr><td>South &amp; West</td><td>9.8</td></tr>
<tr><td>Q2</td><td>North</td><td>13.1</td></tr>
</tbody>
</table>

Q2 was the best quarter of the **north**.
"""

LATEX = r"""The formula in the picture is

$$
f(x) = \frac{1}{\sigma\sqrt{2\pi}} \exp\left(-\frac{1}{2}\left(\frac{x-\mu}{\sigma}\right)^{2}\right) + \sum_{k=0}^{\infty} \frac{(-1)^k x^{2k+1}}{(2k+1)!} + \int_{0}^{1} \frac{\ln(1+t)}{t}\,dt
$$

where \(\sigma > 0\) is the standard deviation, $\mu$ the mean, and

\[ E = mc^2 \]

The ticket costs $5, the menu $12 and the bottle $30.
"""

WIDE_TABLE = (
    "| "
    + " | ".join(f"Column number {number}" for number in range(1, 15))
    + " |\n|"
    + "---:|" * 14
    + "\n"
    + "".join("| " + " | ".join(f"{row * 1000 + cell}.50 EUR" for cell in range(14)) + " |\n" for row in range(1, 9))
)

LISTS = """# What the poster says

1. **Before you start**
   - Read the manual:
     1. the chapter about safety,
     2. the chapter about power:
        - never with wet hands
        - never alone, see https://example.org/a/very/long/address/that/does/not/end/on/a/narrow/telephone/screen?with=parameters&and=more
2. *While it runs*
   > Keep away from the belt.
   >
   > - not even for a moment
3. Afterwards

   ```bash
   sudo systemctl stop conveyor.service && journalctl --unit conveyor.service --since today --no-pager --output short-iso-precise | tail -n 200
   ```

---

| Done | By |
|:--|:-:|
| yes | 王小明 |
"""

THINKING = """<think>
The user asks for the total. The picture shows an invoice with three lines:

- Paper 41.88
- Ink 60.00

The sum printed at the bottom is 120.50, and <b>not</b> 101.88, so shipping is included.
</think>

The total is **120.50 EUR**, shipping included.
"""

UNBROKEN = "x" * 400 + "\n\n" + "`" + "y" * 300 + "`\n\n## " + "Überschrift" * 30 + "\n\n" + "很" * 300

LONG = "\n\n".join(
    f"Paragraph {number}. " + "The quick brown fox jumps over the lazy dog while the invoice waits. " * 6
    for number in range(1, 52)
)  # about 4,000 words

REAL_ANSWERS = {
    "code": CODE,
    "JSON": JSON,
    "an HTML table": HTML_TABLE,
    "LaTeX": LATEX,
    "a wide table": WIDE_TABLE,
    "lists in lists": LISTS,
    "thinking": THINKING,
    "words without a break": UNBROKEN,
    "4,000 words": LONG,
}
