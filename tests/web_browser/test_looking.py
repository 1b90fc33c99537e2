"""Every check of a page finds the fault that it is for, and nothing on a page without faults."""

import pytest

GOOD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Good</title>
<meta name="viewport" content="width=device-width"><style>
body { background: #fff; color: #222; font: 16px sans-serif; margin: 8px } .c1 { color: #0072b2 }
</style></head><body><main><h1>One</h1><p><a href="#two">down</a></p><h2 id="two">Two</h2>
<figure id="f"><svg role="img" width="300" height="100" aria-labelledby="t">
<title id="t">A line</title><desc>Rises</desc>
<rect width="100%" height="100%" fill="#fff"/>
<path class="c1" d="M0 50L300 20" stroke="currentColor" fill="none"/>
<text x="10" y="40" font-size="13">label</text></svg>
<details><summary>Numbers</summary><table><tbody><tr><td>1</td></tr></tbody></table></details></figure>
<button id="go">Go</button></main>
<script>document.getElementById("go").addEventListener("click", () => {})</script></body></html>"""

FAULTS = {
    "alone: script": ("() => {})", "() => {}); nowhere()", "alone", "nowhere"),
    "alone: network": ("<h1>", "<img src='https://example.invalid/x.png' alt=''><h1>", "alone", "example.invalid"),
    "alone: hostile": ("() => {})", "() => {}); window.harmed = 1", "alone", "hostile"),
    "small text": ("font: 16px", "font: 11px", "legible", "11.0 px"),
    "small text in a picture": ('font-size="13"', 'font-size="11"', "legible", "11.0 px"),
    "text that a picture scales down": ('height="100"', 'height="50" viewBox="0 0 600 100"', "legible", "6.5 px"),
    "faint text": ("color: #222", "color: #888", "legible", "faint text 3.5"),
    "faint text in a picture": ("<text", '<text fill="#999"', "legible", "faint text"),
    "text on a dark rectangle": ("<text", '<rect y="20" width="99" height="40" fill="#444"/><text', "legible", "faint"),
    "faint mark": (".c1 { color: #0072b2 }", ".c1 { color: #bbb }", "legible", "faint mark 1.9"),
    "empty figure": ('<path class="c1"', '<path class="grid"', "figures", "no marks"),
    "figure without a description": ("<desc>Rises</desc>", "", "figures", "svg"),
    "figure without numbers": ("<td>1</td>", "", "figures", "no numbers"),
    "headings": ("<h2 id", "<h3 id", "built", "jumps to H3"),
    "links": ('href="#two"', 'href="#three"', "built", "#three"),
    "ids": ('id="go"', 'id="go"><i id="f"></i', "built", "id used twice: f"),
    "mouse alone": ('getElementById("go")', 'getElementById("f")', "unreachable", "click: figure"),
    "pointer alone": ("<p>", "<p style='cursor: pointer'>", "unreachable", "looks clickable"),
    "trap": ("() => {})", '() => {}); document.querySelector("a").addEventListener("keydown", (e) => '
             'e.preventDefault())', "unreachable", "not visited: button"),
    "focus that cannot be seen": ("</style>", "button:focus { outline: none }</style>", "unseen_focus", "button"),
}  # fmt: skip
"""{name: (text of the good page, what to put there, the check, what it says)}."""


def write(folder, text):
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_page_without_faults_passes_every_check(look, tmp_path):
    page = look(write(tmp_path, GOOD))
    for check in ("alone", "figures", "built", "unreachable", "unseen_focus", "legible"):
        assert getattr(page, check)() == []
    assert page.ask("wide") == page.ask("moving") == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_check_finds_its_fault(name, look, tmp_path):
    good, bad, check, said = FAULTS[name]
    assert good in GOOD
    found = getattr(look(write(tmp_path, GOOD.replace(good, bad, 1))), check)()
    assert any(said in sentence for sentence in found), found


def test_what_is_too_wide_for_a_phone_is_named(look, tmp_path):
    page = look(write(tmp_path, GOOD.replace("<h1>", "<h1 style='width: 500px'>")), (390, 844))
    assert ["h1" in sentence for sentence in page.ask("wide")] == [True]


def test_movement_is_found(look, tmp_path):
    page = look(write(tmp_path, GOOD.replace("</style>", "button { transition: color 1s }</style>")))
    assert any("changes slowly: button" in sentence for sentence in page.ask("moving"))
