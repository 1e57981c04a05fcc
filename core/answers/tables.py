"""Find the tables of an answer (Markdown, HTML, CSV), and write them as CSV that a spreadsheet opens safely."""

import csv
import io
import re
from html.parser import HTMLParser

Table = list[list[str]]

_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*")
_FENCE = re.compile(r"```[ \t]*(csv|tsv)[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
_CELL_END = re.compile(r"(?<!\\)\|")
_EMPHASIS = re.compile(r"(\*\*|__|`|~~)(?=\S)(.+?)(?<=\S)\1")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\s?(?:[$€£¥￥]\s?)?\d[\d.,' \u00a0\u202f]*\s?(?:%|‰|[$€£¥￥元])?")
# Spreadsheets skip invisible characters. In many countries they begin a new cell at a semicolon or after a line end.
_UNSEEN = r"[\s\"\x00-\x1f\x7f\xad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*"
_FORMULA = re.compile(rf"{_UNSEEN}[=+\-@＝＋－＠]")
_LEADING = re.compile(rf"[\t\r\n]|{_UNSEEN};+{_UNSEEN}[=+\-@＝＋－＠]")
_CELL_BEGIN = re.compile(r"(?<=[;\t\r\n])")


def find_tables(answer: str) -> list[Table]:
    """Return the tables: Markdown first, then CSV in code fences, then HTML.

    Each has at least two rows and two columns.
    """
    tables = [*_markdown(answer), *_fenced(answer), *_html(answer)]
    return [table for table in tables if len(table) > 1 and max(map(len, table)) > 1]


def csv_file(tables: list[Table]) -> bytes:
    """Write the tables as UTF-8 with a byte-order mark for Excel, with an empty row between two tables.

    A cell that some spreadsheet would take for a formula gets an apostrophe in front, unless it is a number (OWASP, CSV
    injection).
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file)  # commas and CRLF, as RFC 4180 has it
    for index, table in enumerate(tables):
        if index:
            writer.writerow([])
        width = max(map(len, table))
        writer.writerows([[_harmless(cell) for cell in row] + [""] * (width - len(row)) for row in table])
    return b"\xef\xbb\xbf" + file.getvalue().encode()


def _harmless(cell: str) -> str:
    parts = [f"'{part}" if _is_formula(part) else part for part in _CELL_BEGIN.split(cell)]
    return ("'" if _LEADING.match(cell) else "") + "".join(parts)


def _is_formula(text: str) -> bool:
    return _FORMULA.match(text) is not None and not _NUMBER.fullmatch(text.strip())


def _markdown(answer: str) -> list[Table]:
    """Return GitHub's tables: a row, a rule with as many dashes, and rows until a line without a bar.

    A Markdown parser is not enough here: it drops the cells that a row has beyond the header, and finds no table in a
    code fence, where models like to put them.
    """
    lines = answer.splitlines()
    tables: list[Table] = []
    at = 1
    while at < len(lines):
        head = _row(lines[at - 1])
        if (
            "|" in lines[at - 1]
            and "-" in lines[at]
            and _RULE.fullmatch(lines[at])
            and len(_row(lines[at])) == len(head)
        ):
            table = [head]
            while at + 1 < len(lines) and "|" in lines[at + 1]:
                at += 1
                table.append(_row(lines[at]))
            tables.append(table)
        at += 1
    return tables


def _row(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    if inner.endswith("|") and not inner.endswith("\\|"):
        inner = inner[:-1]
    return [_plain(cell.replace("\\|", "|")) for cell in _CELL_END.split(inner)]


def _plain(cell: str) -> str:
    cell = _BREAK.sub("\n", cell).strip()
    while (bare := _EMPHASIS.sub(r"\2", cell)) != cell:
        cell = bare
    return cell


def _fenced(answer: str) -> list[Table]:
    tables = []
    for match in _FENCE.finditer(answer):
        lines = io.StringIO(match[2], newline=None)  # the reader refuses a carriage return alone
        tables.append([row for row in csv.reader(lines, delimiter="\t" if match[1].lower() == "tsv" else ",") if row])
    return tables


def _html(answer: str) -> list[Table]:
    if "<t" not in answer.lower():
        return []
    reader = _HtmlTables()
    reader.feed(answer)
    reader.close()
    return reader.tables


class _HtmlTables(HTMLParser):
    """Collects rows and cells in order. An unclosed element ends where the next begins."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[Table] = []
        self._cell: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("table", "tr", "td", "th"):
            self._end_cell()
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables and self.tables[-1]:
            self._cell = []
        elif tag == "br" and self._cell is not None:
            self._cell.append("\n")

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("table", "tr", "td", "th"):
            self._end_cell()

    def close(self) -> None:
        super().close()
        self._end_cell()
        self.tables = [[row for row in table if row] for table in self.tables]

    def _end_cell(self) -> None:
        if self._cell is not None:
            self.tables[-1][-1].append("".join(self._cell).strip())
            self._cell = None
