"""A page as its elements: what tests ask about reports."""

from html.parser import HTMLParser

VOID = ("meta", "input", "br", "img")


class Reader(HTMLParser):
    """Elements that are opened and closed in order, their attributes, and the text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def ids(self) -> list[str]:
        return [attributes["id"] or "" for _, attributes in self.elements if "id" in attributes]

    def targets(self) -> set[str]:
        """Where the links on the page lead."""
        return {(a["href"] or "").removeprefix("#") for tag, a in self.elements if tag == "a"}

    def end_implied(self, *tags):
        """HTML lets one leave out the end tags of cells and rows."""
        while self.open and self.open[-1] in tags:
            self.open.pop()

    def handle_starttag(self, tag, attrs):
        if tag in ("td", "th", "tr"):
            self.end_implied("td", "th", *(["tr"] if tag == "tr" else []))
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in ("thead", "tbody", "table"):
            self.end_implied("td", "th", "tr", *(["tbody"] if tag == "table" else []))
        assert self.open.pop() == tag

    def handle_data(self, data):
        where = self.open[-1] if self.open else ""
        self.text[where] = self.text.get(where, "") + data
