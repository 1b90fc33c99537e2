"""The trajectory microscope in headless Chromium: the slider colours tokens anew, keys reach every token."""

import pytest

from looking import PHONE
from made_up import run_folder
from pmpo.report.microscope import microscope_section
from pmpo.report.page import write_report

HEATS = "[...document.querySelectorAll('.microscope .token')].map((one) => getComputedStyle(one).backgroundColor)"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """{kind: a page of a run with nothing but its microscope}."""
    found = {}
    for kind in ("harmless", "hostile"):
        folder = run_folder(tmp_path_factory.mktemp("run") / kind, hostile=kind == "hostile")
        found[kind] = folder / "page.html"
        write_report(found[kind], "Microscope", [microscope_section(folder, 400_000)])
    return found


both = pytest.mark.parametrize("kind", ["harmless", "hostile"])


@both
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_stands_alone_and_can_be_read(kind, scheme, pages, look, screenshots):
    opened = look(pages[kind], color_scheme=scheme)
    opened.page.screenshot(path=screenshots / f"microscope-{kind}-{scheme}.png", full_page=True)
    assert opened.page.locator(".microscope [role=option]").count() > 0
    assert opened.alone() == [] and opened.figures() == [] and opened.built() == []
    for p in ("4", "-4"):
        opened.page.locator(".microscope input[type=range]").fill(p)
        assert opened.legible() == []


@both
def test_the_slider_and_the_buttons_change_the_colours(kind, pages, look):
    page = look(pages[kind]).page
    slider = page.locator(".microscope input[type=range]")
    seen = []
    for p in ("-4", "0.5", "4"):
        slider.fill(p)
        seen.append(page.evaluate(HEATS))
        assert f"p {p.replace('-', '−')}" in slider.get_attribute("aria-valuetext")
    assert seen[0] != seen[1] != seen[2] != seen[0]
    page.get_by_role("button", name="p = 0", exact=True).click()
    passing = page.evaluate(
        f"{HEATS}.filter((_, t) => !document.querySelectorAll('.microscope .token')[t].matches('.state-c'))"
    )
    assert len(set(passing)) == 1, "p = 0 shares equally among the tokens that are not clipped"
    assert page.get_by_role("button", name="p = 0", exact=True).get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="the solved p").click()
    assert page.evaluate(HEATS) == page.evaluate(f"(location.reload(), {HEATS})")


def test_keys_go_from_token_to_token_and_tell_the_share_in_numbers(pages, look):
    opened = look(pages["harmless"])
    page = opened.page
    assert opened.unreachable() == [] and opened.unseen_focus() == []
    page.locator(".microscope [role=listbox]").focus()
    page.keyboard.press("Home")
    told = []
    for _ in range(3):
        told.append(page.evaluate("document.querySelector('[aria-selected=true]').getAttribute('aria-label')"))
        assert "share at p = 1" in page.locator(".detail").inner_text()
        page.keyboard.press("ArrowRight")
    assert [label.split(",")[0] for label in told] == ["Token 1", "Token 2", "Token 3"]
    assert all("% of the gradient at p" in label and "log ratio" in label for label in told)
    page.keyboard.press("End")
    count = page.locator(".microscope [role=option]").count()
    assert page.locator(".detail caption").inner_text().startswith(f"Token {count} of {count}")


@both
def test_every_completion_can_be_chosen_also_by_a_link(kind, pages, look):
    page = look(pages[kind]).page
    options = page.locator(".microscope option").count()
    texts = set()
    for k in range(options):
        page.evaluate(f"location.hash = 'microscope-c{k}'")
        page.wait_for_function(f"document.querySelector('.microscope select').value === '{k}'")
        texts.add(page.locator(".microscope .tokens").inner_text() + page.locator(".facts").inner_text())
    assert len(texts) == options
    page.locator(".microscope select").select_option("1")
    assert page.locator("#said").inner_text() or page.locator("#said").text_content()


@both
def test_without_a_script_the_solved_p_is_shown(kind, pages, look):
    page = look(pages[kind], java_script_enabled=False).page
    assert page.locator(".microscope .tokens").count() >= 2
    assert page.locator(".microscope select").count() == 0


@both
def test_it_fits_a_phone(kind, pages, look, screenshots):
    opened = look(pages[kind], PHONE)
    opened.page.screenshot(path=screenshots / f"microscope-{kind}-phone.png", full_page=True)
    assert opened.ask("wide") == [] and opened.ask("smallText", 12) == []


@both
def test_axe_finds_nothing_in_it(kind, pages, look):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(look(pages[kind]).page).response["violations"]
    assert [(one["id"], one["help"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found] == []
