"""A report in use: the slider and the tokens of the microscope, and the way from the verdict to a completion."""

import pytest
from PIL import ImageChops

import made_up
from looking import picture
from pages import report


@pytest.fixture(scope="module")
def run_report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return report(folder, made_up.run_folder(folder / "run", hostile=True))


@pytest.fixture(scope="module")
def study_report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return report(folder, made_up.study(folder / "study", rates=(1e-4, 4e-4), seeds=3))


def colours(page):
    """Of the tokens that the microscope shows."""
    return page.evaluate(
        "[...document.querySelectorAll('.tokens .token')].map((one) => getComputedStyle(one).backgroundColor)"
    )


def heats(page):
    return page.evaluate(
        "[...document.querySelectorAll('.tokens .token')].map((one) => +one.style.getPropertyValue('--heat'))"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_slider_changes_the_colours(scheme, run_report, look):
    opened = look(run_report, color_scheme=scheme)
    page, tokens = opened.page, opened.page.locator(".tokens").first
    slider = page.locator(".microscope input[type=range]").first
    found = {}
    for key in ("Home", "End"):
        slider.press(key)
        tokens.scroll_into_view_if_needed()
        found[key] = (colours(page), picture(tokens.screenshot()), page.locator(".microscope output").inner_text())
    assert found["Home"][0] != found["End"][0]
    assert ImageChops.difference(found["Home"][1], found["End"][1]).getbbox() is not None
    assert found["Home"][2] != found["End"][2]
    assert opened.alone() == []


def test_the_presets_set_p_and_p_0_gives_every_open_token_one_colour(run_report, look):
    page = look(run_report).page
    page.get_by_role("button", name="p = 0").first.click()
    assert page.locator(".microscope output").first.inner_text() == "0"
    passed = page.evaluate(
        "[...document.querySelectorAll('.tokens .token:not(.state-c):not(.state-m)')]"
        ".map((one) => one.style.getPropertyValue('--heat'))"
    )
    assert len(passed) > 1
    assert len(set(passed)) == 1
    page.get_by_role("button", name="p = 1").first.click()
    assert len(set(heats(page))) > 2


def test_arrow_keys_go_from_token_to_token_and_say_what_each_has(run_report, look):
    page = look(run_report).page
    tokens = page.get_by_role("listbox").first
    tokens.focus()
    tokens.press("Home")
    said = []
    for _ in range(3):
        said.append(page.locator("[role=option][aria-selected=true]").get_attribute("aria-label"))
        tokens.press("ArrowRight")
    assert [text.split(",")[0] for text in said] == ["Token 1", "Token 2", "Token 3"]
    assert all("of the gradient at p" in text for text in said)
    tokens.press("End")
    assert page.locator("[role=option]").last.get_attribute("aria-selected") == "true"


def test_every_completion_can_be_chosen_and_shows_its_text(run_report, look):
    opened = look(run_report)
    choice = opened.page.locator(".microscope select").first
    texts = set()
    for value in choice.locator("option").evaluate_all("(all) => all.map((one) => one.value)"):
        choice.select_option(value)
        texts.add(opened.page.locator(".tokens").first.inner_text())
    assert any("</script>" in text for text in texts)
    assert len(texts) > 10
    assert opened.alone() == []


def test_the_way_leads_from_the_verdict_to_the_dot_its_run_and_its_completion(study_report, look):
    opened = look(study_report)
    page = opened.page
    page.locator("header a[href^='#d']").first.click()
    dot = page.evaluate("document.activeElement.getAttribute('href') || ''")
    assert dot.startswith("#"), "the link of the verdict goes to a dot, which leads on"
    page.keyboard.press("Enter")
    here = page.evaluate("location.hash")
    assert here == dot
    run = page.locator(here)
    assert run.is_visible()
    assert "learning" in run.inner_text()
    inside = run.locator("a[href^='#']").evaluate_all("(all) => all.map((one) => one.getAttribute('href'))")
    assert any("microscope" in one or "completion" in one for one in inside), inside
    assert opened.alone() == []
