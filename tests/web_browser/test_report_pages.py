"""Reports in headless Chromium: alone, legible in light and dark, by keys, on a phone, on paper, without scripts."""

import csv
import io

import pytest
from PIL import ImageStat

from looking import DESKTOP, PHONE, picture
from pages import PAGES, SHOWN

SIZE = 1_000_000
"""Bytes that a report may have."""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """`written(name)` is the path of a page, which is made when it is first asked for."""
    made = {}

    def path(name):
        if name not in made:
            made[name] = PAGES[name](tmp_path_factory.mktemp("page"))
        return made[name]

    return path


every_page = pytest.mark.parametrize("name", PAGES)
shown_page = pytest.mark.parametrize("name", SHOWN)


@every_page
def test_a_page_is_one_small_file_that_stands_alone(name, written, look):
    assert written(name).stat().st_size < SIZE
    page = look(written(name))
    page.whole()  # so that nothing that is loaded late is left out
    assert page.alone() == []
    assert page.figures() == []
    assert page.built() == []


@every_page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read_in_light_and_dark(name, scheme, written, look):
    page = look(written(name), color_scheme=scheme)
    assert page.legible() == []


@shown_page
def test_the_keyboard_reaches_everything_and_shows_where_it_is(name, written, look):
    page = look(written(name))
    assert page.unreachable() == []
    assert page.unseen_focus() == []
    assert page.alone() == []


@every_page
def test_a_phone_needs_no_scrolling_sideways(name, written, look):
    page = look(written(name), PHONE)
    assert page.ask("wide") == []
    page.whole()
    assert page.ask("wide") == []
    assert page.ask("smallText", 12) == []


@shown_page
def test_nothing_moves_for_those_who_asked_for_that(name, written, look):
    assert look(written(name), reduced_motion="reduce").ask("moving") == []


@shown_page
def test_without_scripts_the_page_still_tells_everything(name, written, look):
    page = look(written(name), java_script_enabled=False)
    page.whole()
    assert page.figures() == []
    assert page.page.locator("button:visible").count() == 0  # a button without its script does nothing
    with_scripts = look(written(name))
    assert page.page.locator("figure").count() == with_scripts.page.locator("figure").count()


@every_page
def test_axe_finds_nothing(name, written, look):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = look(written(name))
    page.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = axe.Axe().run(page.page).response["violations"]
    assert [(one["id"], one["help"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found] == []


@shown_page
def test_the_numbers_of_a_figure_are_saved_as_csv(name, written, look):
    page = look(written(name)).page
    page.locator("figure details > summary").first.click()
    with page.expect_download() as download:
        page.locator("button.csv").first.click()
    rows = list(csv.reader(io.StringIO(download.value.path().read_text(encoding="utf-8"))))
    shown = page.locator("figure table").first.locator("tr")
    assert len(rows) == shown.count() > 1
    assert len({len(row) for row in rows}) == 1


@shown_page
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", ["desktop", "phone"])
def test_screenshots(name, width, scheme, written, look, screenshots):
    page = look(written(name), {"desktop": DESKTOP, "phone": PHONE}[width], color_scheme=scheme).page
    shot = page.screenshot(path=screenshots / f"{name}-{width}-{scheme}.png", full_page=True)
    brightness = ImageStat.Stat(picture(shot).convert("L")).mean[0]
    assert brightness > 200 if scheme == "light" else brightness < 60


@shown_page
def test_on_paper_it_is_dark_on_white_whatever_the_screen(name, written, look, screenshots):
    page = look(written(name), color_scheme="dark")
    assert page.page.pdf(path=screenshots / f"{name}-print.pdf", format="A4").startswith(b"%PDF")
    page.page.emulate_media(media="print")
    page.page.set_viewport_size({"width": 718, "height": 1000})  # A4 without margins of 10 mm
    shot = page.page.screenshot(path=screenshots / f"{name}-print.png", full_page=True)
    assert ImageStat.Stat(picture(shot).convert("L")).mean[0] > 200
    assert page.ask("wide") == []
    assert page.legible() == []
