"""What extensions play: how it is written, what is told of it, and how the router gives it out."""

from __future__ import annotations

import pytest

from engine.calls.events import FromAgent, FromTrunk
from engine.calls.routing import ToPlay
from engine.dialplan.explain import explain
from engine.dialplan.playing import sound_warnings
from engine.dialplan.router import DialplanRouter
from engine.errors import ConfigError
from engine.ids import AgentName, TrunkName
from engine.speech.library import Library
from engine.speech.phrases import File, Name, Silence, Spoken, ToneItem
from tests.support.dialplans import dialplan, extension

AGENT = FromAgent(agent=AgentName("anna"))


def read(action: str, more: str = "") -> ToPlay:
    """The one extension that plays, as it was read."""
    text = extension("a", "600", action) + extension("a", "601", "echo = true") + more
    found = dialplan(text).contexts["a"].exact["600"].action
    assert isinstance(found, ToPlay)
    return found


def test_one_item_or_a_list() -> None:
    assert read('play = "welcome"') == ToPlay(name="play:welcome", items=(Name(name="welcome"),))
    assert read('play = ["hi.wav", "number:{n}", "silence:20", "tone:busy"]\narguments = {n = "5"}') == ToPlay(
        name="play:hi.wav",
        items=(
            File(path="/sounds/hi.wav"),
            Spoken(kind="number", value="{n}"),
            Silence(ms=20),
            ToneItem(tone="busy"),
        ),
        arguments={"n": "5"},
    )


def test_every_key() -> None:
    text = (
        'play = "welcome"\nloop = true\ngain_db = -6.5\nstop_digits = "#5"\nfor_s = 30\nthen = "601"\n'
        'on_digit = {5 = "600", 1 = "601"}\nlanguage = "de_AT"\ncountry = "at"'
    )
    assert read(text) == ToPlay(
        name="play:welcome",
        items=(Name(name="welcome"),),
        loop=True,
        gain_db=-6.5,
        stop_digits="#51",
        for_s=30.0,
        then="601",
        on_digit={"5": "600", "1": "601"},
        language="de_AT",
        country="at",
    )


def test_phrases_are_opened_where_they_stand() -> None:
    phrases = '[phrases]\nhello = ["welcome", "phrase:number"]\nnumber = "digits:{called}"\n'
    found = read('play = ["phrase:hello", "bye"]', phrases)
    assert found.name == "play:phrase:hello"
    assert found.items == (Name(name="welcome"), Spoken(kind="digits", value="{called}"), Name(name="bye"))


@pytest.mark.parametrize(
    ("action", "fault"),
    [
        ("play = 5", "play: found 5 (a whole number); allowed: a list of texts"),
        ("play = []", "play: found an empty list; allowed: at least one text"),
        ('play = ""', "play: found ''; allowed: text of at least one character"),
        ('play = ["welcome", "say:hi"]', "play[1]: found \"say:hi\"; no kind of item 'say'"),
        ('play = "two words"', 'play: found "two words"; no name of a sound'),
        ('play = "tone:bussy"', 'play: found "tone:bussy"; tones are: dial, ringback, busy'),
        ('play = "tone:bussy"', 'did you mean "busy"?'),
        ('play = "phrase:hello"', "play: no phrase 'hello'; there are: none"),
        ('play = "number:{n}"', "play: nothing fills {n}; there are: caller, called (and what `arguments` names)"),
        ('play = "hi"\narguments = {N = "5"}', "arguments.N: allowed: a name of small letters"),
        ('play = "hi"\narguments = {n = 5}', "arguments.n: found 5 (a whole number); allowed: text"),
        ('play = "hi"\ngain_db = 21', "gain_db: found 21; allowed: a number of decibels -60 to 20"),
        ('play = "hi"\nfor_s = 0', "for_s: found 0; allowed: a number of seconds 1 to 3600"),
        ('play = "hi"\nstop_digits = "1x"', "stop_digits: found '1x'; allowed: keys of 0123456789*#ABCD"),
        ('play = "hi"\non_digit = {10 = "601"}', "on_digit.10: allowed: a key"),
        ('play = "hi"\nthen = "999"', 'then: found "999"; nothing in context a matches'),
        ('play = "hi"\non_digit = {1 = "999"}', 'on_digit.1: found "999"; nothing in context a matches'),
        ('play = "hi"\nthen = "601"\nloop = true', "then: is never reached: loop has no end without for_s or stop_dig"),
        ('play = "hi"\nlanguage = "Deutsch"', "language: found 'Deutsch'; allowed: a language code"),
        ('play = "hi"\ncountry = "xx"', "country: found 'xx'; allowed: "),
        ('play = "hi"\nreason = "x"', "reason: has no meaning beside play; it goes with feature"),
        ('echo = true\nthen = "601"', "then: has no meaning beside echo; it goes with play"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(action: str, fault: str) -> None:
    text = extension("a", "600", action) + extension("a", "601", "echo = true")
    with pytest.raises(ConfigError) as caught:
        dialplan(text)
    assert fault in str(caught.value)
    assert all(line.startswith("plan.toml: context.a.extension[0].") for line in str(caught.value).split("\n"))


def test_where_it_leads_is_judged_only_when_all_numbers_could_be_read() -> None:
    text = extension("a", "600", 'play = "hi"\nthen = "601"') + extension("a", "601", "echo = false")
    with pytest.raises(ConfigError) as caught:
        dialplan(text)
    assert str(caught.value).startswith("plan.toml: context.a.extension[1].echo: ")
    assert "\n" not in str(caught.value)


def test_a_loop_that_a_key_or_time_ends_may_lead_on() -> None:
    assert read('play = "hi"\nthen = "601"\nloop = true\nstop_digits = "1"').then == "601"
    assert read('play = "hi"\nthen = "601"\nloop = true\nfor_s = 5').for_s == 5


@pytest.mark.parametrize(
    ("phrases", "fault"),
    [
        ("phrases = 5", "phrases: found 5 (a whole number); allowed: a table"),
        ("[phrases]\na = []", "phrases.a: found an empty list; allowed: at least one text"),
        ('[phrases]\na = ["hi", "number:x"]', "phrases.a[1]: found \"number:x\"; 'x' is no whole number"),
        ('[phrases]\na = "phrase:b"\nb = "phrase:a"', "phrases.a: phrases go round in a circle: b -> a -> b"),
        ('[phrases]\na = "phrase:c"', "phrases.a: no phrase 'c'; there are: a"),
    ],
)
def test_what_is_wrong_with_a_phrase_is_told(phrases: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        dialplan(f"{phrases}\n[context.a]\n")
    assert f"plan.toml: {fault}" in str(caught.value)


def test_a_phrase_that_is_wrong_is_told_once() -> None:
    with pytest.raises(ConfigError) as caught:
        dialplan('[phrases]\na = "say:x"\nb = "phrase:a"\n[context.a]\n')
    assert str(caught.value).count("\n") == 0


def test_a_sound_file_that_is_not_there_is_a_fault_of_its_phrase() -> None:
    from engine.dialplan.check import check  # noqa: PLC0415 - with sounds that are not there

    def gone(name: str) -> str:
        raise ValueError(f"/x/{name} cannot be read")

    with pytest.raises(ConfigError, match=r'plan: phrases\.a: found "x\.wav"; /x/x\.wav cannot be read$'):
        check("plan", {"phrases": {"a": "x.wav"}, "context": {"a": {}}}, gone)


TWO = (
    '[context.a]\ninclude = ["b"]\nlanguage = "de"\ncountry = "de"\n[context.b]\nlanguage = "fr"\ncountry = "fr"\n'
    "[context.c]\n" + 'include = ["b"]\n'
)


@pytest.mark.parametrize(
    ("context", "action", "language", "country"),
    [
        ("a", 'play = "hi"', "de", "de"),
        ("b", 'play = "hi"', "fr", "fr"),
        ("c", 'play = "hi"', "fr", "fr"),
        ("a", 'play = "hi"\nlanguage = "it"\ncountry = "it"', "it", "it"),
    ],
)
def test_the_language_is_that_of_the_extension_or_the_entrance_or_where_it_stands(
    context: str, action: str, language: str, country: str
) -> None:
    router = DialplanRouter(dialplan(TWO + extension("b", "600", action)))
    found = router.route(context=context, called="600", origin=AGENT)
    assert isinstance(found, ToPlay)
    assert (found.language, found.country) == (language, country)


def test_the_router_says_with_whose_rights_it_leads_on() -> None:
    router = DialplanRouter(dialplan(TWO + extension("b", "600", 'play = "hi"')))
    trunk = FromTrunk(trunk=TrunkName("pbx"))
    found = router.route(context="a", called="600", origin=trunk)
    assert isinstance(found, ToPlay)
    assert (found.context, found.origin) == ("a", trunk)


def test_what_explain_says() -> None:
    text = (
        extension("a", "600", 'play = ["hi", "bye"]\nloop = true\nfor_s = 30\non_digit = {1 = "601"}\nthen = "601"')
        + extension("a", "601", 'play = "phrase:x"')
        + '[phrases]\nx = "hi"\n'
    )
    plan = dialplan(text)
    assert explain(plan, "a", "600").endswith(
        "result: play hi and 1 more over and over for 30 s until a key of 1, on 1 to 601, then to 601"
    )
    assert explain(plan, "a", "601").endswith("result: play phrase:x, then hang up")


def test_sounds_that_are_not_there_are_told_in_every_language_that_may_be_heard() -> None:
    library = Library(directory="/s", sounds={"de": {"hi": "/s/de/hi.wav"}})
    plan = dialplan(TWO + extension("b", "600", 'play = ["hi", "silence:5", "number:5"]'))
    key = "plan.toml: context.b.extension[0].play"
    assert sound_warnings(plan, library, "en") == [
        f"{key}: no sound digits/5 in 'de'; looked for /s/de/digits/5.wav (.flac, .ogg, .oga, .opus)",
        f"{key}: no sound hi in 'fr'; looked for /s/fr/hi.wav (.flac, .ogg, .oga, .opus)",
        f"{key}: no sound digits/5 in 'fr'; looked for /s/fr/digits/5.wav (.flac, .ogg, .oga, .opus)",
    ]


def test_many_missing_sounds_are_counted_and_a_language_without_rules_is_told() -> None:
    plan = dialplan(extension("a", "600", 'play = ["digits:{called}", "number:{called}"]'))
    (digits, number) = sound_warnings(plan, Library(), "xx")
    assert "no sound digits/0, digits/1, digits/2 and 7 more in 'xx'; [sounds] directory is not set" in digits
    assert "no rules to speak numbers in 'xx'; there are: en" in number
    assert sound_warnings(dialplan(extension("a", "600", "echo = true")), Library(), "xx") == []
