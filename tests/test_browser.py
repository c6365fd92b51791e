# SPDX-License-Identifier: GPL-2.0
"""The HTML page in Debian's Chromium: from a file, without a network, on a phone, by keyboard."""

import re
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from harness.record import RunRecord
from harness.reports.account import Account
from harness.reports.page import page
from tests.accounts import NASTY, a_case, a_cell, a_complaint, a_run, account, flaky, real
from tests.test_page import nasty

pytestmark = pytest.mark.soak

SIZES = {"desktop": (1280, 900), "phone": (360, 740)}
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")


class Browser:
    """A window of Chromium."""

    def __init__(self, driver: webdriver.Chrome, folder: Path) -> None:
        self.driver, self._folder = driver, folder

    def show(self, told: Account, size: str = "desktop") -> None:
        """Open the page of a run from a file."""
        width, height = SIZES[size]
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1}
        metrics["mobile"] = size == "phone"
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        file = self._folder / "page.html"
        file.write_text(page(told))
        self.driver.get("about:blank")
        self.driver.get(file.as_uri())

    def find(self, selector: str) -> list[WebElement]:
        """All that match."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def ask(self, script: str, *given: object) -> object:
        """What a script says; the page itself may run none."""
        return self.driver.execute_script(script, *given)

    def in_view(self, element: WebElement) -> bool:
        """Whether it can be seen now."""
        return element.is_displayed() and bool(
            self.ask(
                "const r = arguments[0].getBoundingClientRect();"
                "return r.top < innerHeight && r.bottom > 0",
                element,
            )
        )

    def said(self, kind: str = "browser") -> list[str]:
        """What was logged since it was asked for last."""
        log = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in log]

    def widest(self) -> int:
        """How much wider than the window the page is."""
        return int(str(self.ask("return document.documentElement.scrollWidth - innerWidth")))


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One browser for all tests, without a network."""
    options = webdriver.ChromeOptions()
    for option in OPTIONS:
        options.add_argument(option)
    options.binary_location = which("chromium") or "chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(which("chromedriver")))
    chrome.execute_cdp_cmd("Network.enable", {})
    chrome.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0},
    )
    yield chrome
    chrome.quit()


@pytest.fixture
def browser(driver: webdriver.Chrome, tmp_path: Path) -> Browser:
    """It, with a folder for the page."""
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    return Browser(driver, tmp_path)


def big() -> RunRecord:
    """A matrix of four machines, with names as long as they come."""
    topologies = ("uma", "2n", "4n", "asym", "memoryless", "cpuless", "altix", "plugged")
    cells = [
        a_cell(f"{machine}-slqb-{config}-{topology}", phases={"kernel": 1.0, "tests": 9.0})
        for machine in ("x86_64", "ppc64le", "ppc64", "arm64_16k")
        for config in ("lean", "debug+kasan+watched+distro")
        for topology in topologies
    ]
    long = "y" * 500
    first = flaky(
        "x86_64-slqb-hooks-2n",
        reason=long,
        cases=(a_case(f"a.{long}", "fail", long), a_case(f"{long}.b", "fail")),
        complaints=(a_complaint(long, long).model_copy(update={"decoded": (long,)}),),
        cmdline=(long,),
    )
    return a_run(first, *cells, command=("slqb", long))


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_wider_than_the_window(browser: Browser, tmp_path: Path, size: str) -> None:
    long = account(tmp_path / "runs", big(), ["x" * 400] * 60)
    for told in (real(), long):
        browser.show(told, size)
        assert browser.widest() <= 0
        browser.ask("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert browser.widest() <= 0


@pytest.mark.parametrize("size", SIZES)
def test_the_boots_of_a_kernel_stand_side_by_side(
    browser: Browser, tmp_path: Path, size: str
) -> None:
    browser.show(account(tmp_path / "runs", big()), size)
    row = browser.find(".matrix tbody tr")[2]
    tops = [one.location["y"] for one in row.find_elements(By.CSS_SELECTOR, "td > a")]
    assert len(tops) == 8
    assert len(set(tops)) == {"desktop": 1, "phone": 3}[size]


@pytest.mark.parametrize("size", SIZES)
def test_a_cell_opens_its_tests_without_any_script(browser: Browser, size: str) -> None:
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.show(real(), size)
    [link] = browser.find(".matrix a[href='#c1']")
    [body] = browser.find("#c1")
    assert not body.is_displayed()
    link.click()
    assert browser.in_view(body)
    assert body.find_element(By.TAG_NAME, "h3").text == "Repeat it"


def test_a_complaint_leads_into_the_console(browser: Browser) -> None:
    browser.show(real())
    browser.find(".wrong li li a")[0].click()
    [line] = browser.find(".console :target")
    assert browser.in_view(line)
    assert "dump_stack" in line.find_element(By.XPATH, "following-sibling::span[2]").text
    assert line.value_of_css_property("background-color").startswith("rgba(77, 27, 30")


def test_a_keyboard_is_enough(browser: Browser) -> None:
    browser.show(real())
    summary = browser.find(".boot > summary")[0]
    browser.ask("arguments[0].focus()", summary)
    summary.send_keys(Keys.ENTER)
    assert browser.find("#c1")[0].is_displayed()
    reached = set()
    for _ in range(20):
        active = browser.driver.switch_to.active_element
        reached.add(active.tag_name)
        assert active.value_of_css_property("outline-width") == "3px"
        active.send_keys(Keys.TAB)
    assert {"a", "summary", "pre"} <= reached


def test_only_what_did_not_pass(browser: Browser) -> None:
    browser.show(real())
    shown = [one.is_displayed() for one in browser.find(".boot")]
    browser.find("#only-bad")[0].click()
    assert shown == [True, True, True]
    assert [one.is_displayed() for one in browser.find(".boot")] == [False, False, True]


def test_what_a_console_says_stays_text(browser: Browser, tmp_path: Path) -> None:
    record = a_run(nasty(), reason=NASTY, command=(NASTY,))
    browser.show(account(tmp_path / "runs", record, [NASTY] * 9))
    assert browser.ask("return window.owned") is None
    assert not browser.find("script, img")
    assert NASTY in browser.find(".console")[0].text


def test_markup_that_got_through_would_be_dead(browser: Browser, tmp_path: Path) -> None:
    """The policy of the page, were the escaping ever lost."""
    hole = page(real()).replace("</main>", f"{NASTY}</main>")
    file = tmp_path / "hole.html"
    file.write_text(hole)
    browser.driver.get(file.as_uri())
    assert browser.find("script")
    assert browser.ask("return window.owned") is None
    assert any("Content Security Policy" in message for message in browser.said())
    file.write_text(re.sub("<meta http-equiv=[^>]*>", "", hole))
    browser.driver.get(file.as_uri())
    assert browser.ask("return window.owned") == 1


def test_the_page_asks_for_nothing(browser: Browser) -> None:
    browser.said("performance"), browser.said()
    browser.show(real())
    sent = [one for one in browser.said("performance") if '"Network.requestWillBeSent"' in one]
    assert len([one for one in sent if "page.html" in one]) == 1
    assert not [one for one in sent if "page.html" not in one and "about:blank" not in one]
    assert not browser.said()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(browser: Browser, tmp_path: Path, scheme: str) -> None:
    """Contrast of at least 4.5, as WCAG 2.2 AA wants it."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    cells = (a_cell(), flaky("m-k-4n"), a_cell("m-k-uma", "HOST"), a_cell("m-k-up", "CRASH"))
    for told in (real(), account(tmp_path / "runs", a_run(*cells), ["x"] * 60)):
        browser.show(told)
        browser.ask("document.querySelectorAll('details').forEach(one => one.open = true)")
        faint = browser.ask(CONTRAST)
        assert faint == []


CONTRAST = """
const paint = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgb = text => {
  paint.clearRect(0, 0, 1, 1); paint.fillStyle = text; paint.fillRect(0, 0, 1, 1);
  return paint.getImageData(0, 0, 1, 1).data;
};
const light = color => [0, 1, 2].map(i => color[i] / 255)
  .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = one => {
  for (; one; one = one.parentElement) {
    const color = rgb(getComputedStyle(one).backgroundColor);
    if (color[3] === 255) return color;
  }
  return [255, 255, 255];
};
return [...document.querySelectorAll('body *')].filter(one =>
  [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim()) &&
  one.getClientRects().length).flatMap(one => {
    const [a, b] = [light(rgb(getComputedStyle(one).color)), light(behind(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    return ratio < 4.5 ? [[one.tagName, one.className, one.textContent.slice(0, 30), ratio]] : [];
  });
"""
