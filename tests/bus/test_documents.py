# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the documents name is there: tests in the threat model, actions in SECURITY.md, settings in the manual page."""

import re
import xml.etree.ElementTree as ElementTree

from system_bus import SOURCE

THREATS = SOURCE / "docs" / "threat-model.md"


def named_tests():
    """(file, function or "") for each in the threat model."""
    return re.findall(r"`(tests/[\w./-]+\.(?:py|c))(?:::(\w+))?`", THREATS.read_text())


def test_each_test_of_the_threat_model_exists():
    named = named_tests()
    assert len(named) > 60
    for path, function in named:
        text = (SOURCE / path).read_text()
        if function:
            assert re.search(rf"^(def|static void) {function}\(", text, re.M), f"{path} has no {function}"


def test_each_attack_has_a_test():
    attacks = THREATS.read_text().partition("\n## The flood\n")[0]
    for line in attacks.splitlines():
        if line.startswith("| ") and not line.startswith("| attack |"):
            assert re.search(r"`tests/[^`]+` \|$", line), line


def test_each_action_is_explained():
    policy = ElementTree.parse(SOURCE / "dbus" / "org.ktraced1.policy")
    actions = {action.get("id") for action in policy.iter("action")}
    page = (SOURCE / "docs" / "man" / "ktraced-polkit.8").read_text().replace("\\-", "-")
    security = (SOURCE / "SECURITY.md").read_text()
    assert {f"org.ktraced1.{name}" for name in re.findall(r"^\| `([\w-]+)` \|", security, re.M)} == actions
    assert set(re.findall(r"^\.B (org\.ktraced1\.[\w-]+)$", page, re.M)) == actions


def test_each_translation_has_all_messages():
    """And all details in them."""
    policy = ElementTree.parse(SOURCE / "dbus" / "org.ktraced1.policy")
    messages = {action.findtext(tag) for action in policy.iter("action") for tag in ("description", "message")}
    for language in (SOURCE / "po" / "LINGUAS").read_text().split():
        catalog = (SOURCE / "po" / f"{language}.po").read_text()
        found = dict(re.findall(r'^msgid "(.+)"\nmsgstr "(.+)"$', catalog, re.M))
        assert set(found) == messages, language
        for message, translation in found.items():
            assert sorted(re.findall(r"\$\([^)]*\)", message)) == sorted(re.findall(r"\$\([^)]*\)", translation)), message


def test_each_setting_is_in_the_manual_page():
    source = (SOURCE / "daemon" / "core" / "settings.c").read_text()
    settings = set(re.findall(r'^ +\{ "(\w+)", SPEC_TYPE_', source, re.M))
    assert len(settings) > 30
    page = (SOURCE / "docs" / "man" / "ktraced.json.5").read_text()
    tags = re.findall(r"^\.BR? (.*)$", page, re.M)
    assert settings <= set(re.findall(r"\w+", " ".join(tags)))
