r"""Unicode properties of ECMA-262 (``\p{...}``) as ranges, computed when first used.

Cost: one pass over all scalars per property, about 0.006 s.
Source: ECMA-262 section 22.2.1.1, tables of properties; the character database of the library `regex`.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

from gramspec.grammar.ranges import SCALARS, Ranges, normalise
from gramspec.grammar.regex.unicode import CATEGORIES, scalar_texts

_BINARY: Final = """
ASCII_Hex_Digit:AHex Alphabetic:Alpha Bidi_Control:Bidi_C Bidi_Mirrored:Bidi_M Case_Ignorable:CI Cased
Changes_When_Casefolded:CWCF Changes_When_Casemapped:CWCM Changes_When_Lowercased:CWL
Changes_When_NFKC_Casefolded:CWKCF Changes_When_Titlecased:CWT Changes_When_Uppercased:CWU Dash
Default_Ignorable_Code_Point:DI Deprecated:Dep Diacritic:Dia Emoji Emoji_Component:EComp
Emoji_Modifier:EMod Emoji_Modifier_Base:EBase Emoji_Presentation:EPres Extended_Pictographic:ExtPict
Extender:Ext Grapheme_Base:Gr_Base Grapheme_Extend:Gr_Ext Hex_Digit:Hex IDS_Binary_Operator:IDSB
IDS_Trinary_Operator:IDST ID_Continue:IDC ID_Start:IDS Ideographic:Ideo Join_Control:Join_C
Logical_Order_Exception:LOE Lowercase:Lower Math Noncharacter_Code_Point:NChar Pattern_Syntax:Pat_Syn
Pattern_White_Space:Pat_WS Quotation_Mark:QMark Radical Regional_Indicator:RI Sentence_Terminal:STerm
Soft_Dotted:SD Terminal_Punctuation:Term Unified_Ideograph:UIdeo Uppercase:Upper Variation_Selector:VS
White_Space:space XID_Continue:XIDC XID_Start:XIDS
"""
_SCRIPTS: Final = """
Adlm:Adlam Aghb:Caucasian_Albanian Ahom:Ahom Arab:Arabic Armi:Imperial_Aramaic Armn:Armenian Avst:Avestan
Bali:Balinese Bamu:Bamum Bass:Bassa_Vah Batk:Batak Beng:Bengali Berf:Beria_Erfe Bhks:Bhaiksuki
Bopo:Bopomofo Brah:Brahmi Brai:Braille Bugi:Buginese Buhd:Buhid Cakm:Chakma Cans:Canadian_Aboriginal
Cari:Carian Cham:Cham Cher:Cherokee Chrs:Chorasmian Copt:Coptic Cpmn:Cypro_Minoan Cprt:Cypriot
Cyrl:Cyrillic Deva:Devanagari Diak:Dives_Akuru Dogr:Dogra Dsrt:Deseret Dupl:Duployan
Egyp:Egyptian_Hieroglyphs Elba:Elbasan Elym:Elymaic Ethi:Ethiopic Gara:Garay Geor:Georgian Glag:Glagolitic
Gong:Gunjala_Gondi Gonm:Masaram_Gondi Goth:Gothic Gran:Grantha Grek:Greek Gujr:Gujarati Gukh:Gurung_Khema
Guru:Gurmukhi Hang:Hangul Hani:Han Hano:Hanunoo Hatr:Hatran Hebr:Hebrew Hira:Hiragana
Hluw:Anatolian_Hieroglyphs Hmng:Pahawh_Hmong Hmnp:Nyiakeng_Puachue_Hmong Hung:Old_Hungarian
Ital:Old_Italic Java:Javanese Jurc:Jurchen Kali:Kayah_Li Kana:Katakana Kawi:Kawi Khar:Kharoshthi
Khmr:Khmer Khoj:Khojki Kits:Khitan_Small_Script Knda:Kannada Krai:Kirat_Rai Kthi:Kaithi Lana:Tai_Tham
Laoo:Lao Latn:Latin Lepc:Lepcha Limb:Limbu Lina:Linear_A Linb:Linear_B Lisu:Lisu Lyci:Lycian Lydi:Lydian
Mahj:Mahajani Maka:Makasar Mand:Mandaic Mani:Manichaean Marc:Marchen Medf:Medefaidrin Mend:Mende_Kikakui
Merc:Meroitic_Cursive Mero:Meroitic_Hieroglyphs Mlym:Malayalam Modi:Modi Mong:Mongolian Mroo:Mro
Mtei:Meetei_Mayek Mult:Multani Mymr:Myanmar Nagm:Nag_Mundari Nand:Nandinagari Narb:Old_North_Arabian
Nbat:Nabataean Newa:Newa Nkoo:Nko Nshu:Nushu Ogam:Ogham Olck:Ol_Chiki Onao:Ol_Onal Orkh:Old_Turkic
Orya:Oriya Osge:Osage Osma:Osmanya Ougr:Old_Uyghur Palm:Palmyrene Pauc:Pau_Cin_Hau Pcun:Proto_Cuneiform
Perm:Old_Permic Phag:Phags_Pa Phli:Inscriptional_Pahlavi Phlp:Psalter_Pahlavi Phnx:Phoenician Plrd:Miao
Prti:Inscriptional_Parthian Rjng:Rejang Rohg:Hanifi_Rohingya Runr:Runic Samr:Samaritan
Sarb:Old_South_Arabian Saur:Saurashtra Seal:Seal Sgnw:SignWriting Shaw:Shavian Shrd:Sharada Sidd:Siddham
Sidt:Sidetic Sind:Khudawadi Sinh:Sinhala Sogd:Sogdian Sogo:Old_Sogdian Sora:Sora_Sompeng Soyo:Soyombo
Sund:Sundanese Sunu:Sunuwar Sylo:Syloti_Nagri Syrc:Syriac Tagb:Tagbanwa Takr:Takri Tale:Tai_Le
Talu:New_Tai_Lue Taml:Tamil Tang:Tangut Tavt:Tai_Viet Tayo:Tai_Yo Telu:Telugu Tfng:Tifinagh Tglg:Tagalog
Thaa:Thaana Thai:Thai Tibt:Tibetan Tirh:Tirhuta Tnsa:Tangsa Todr:Todhri Tols:Tolong_Siki Toto:Toto
Tutg:Tulu_Tigalari Ugar:Ugaritic Vaii:Vai Vith:Vithkuqi Wara:Warang_Citi Wcho:Wancho Xpeo:Old_Persian
Xsux:Cuneiform Yezi:Yezidi Yiii:Yi Zanb:Zanabazar_Square Zinh:Inherited Zyyy:Common Zzzz:Unknown
"""
_CATEGORY_ALIASES: Final = {"Combining_Mark": "M", "digit": "Nd", "punct": "P", "cntrl": "Cc"}
_SCRIPT_ALIASES: Final = {"Qaac": "Copt", "Qaai": "Zinh"}


@cache
def unicode_property(name: str, value: str | None) -> Ranges | None:
    r"""The set of ``\p{name}`` or ``\p{name=value}``; None when ECMA-262 has no such property."""
    if value is None:
        constant = {"Any": SCALARS, "ASCII": ((0, 0x7F),)}.get(name)
        if constant is not None:
            return constant
        if name == "Assigned":
            return _spans(r"\P{gc=Cn}+")
        known = _binary().get(name)
        if known == "Changes_When_NFKC_Casefolded":
            return _changed_by_nfkc_casefold()
        if known is not None:
            return _spans(rf"\p{{{known}=Yes}}+")
        name, value = "gc", name
    if name in {"General_Category", "gc"}:
        short = _categories().get(value)
        if short is None:
            return None
        return _spans("[" + "".join(rf"\p{{gc={part}}}" for part in CATEGORIES[short][1]) + "]+")
    script = _scripts().get(value)
    if script is None or name not in {"Script", "sc", "Script_Extensions", "scx"}:
        return None
    return _spans(rf"\p{{{name}={script}}}+")


@cache
def _spans(pattern: str) -> Ranges:
    import regex  # here, because few patterns need its tables

    find = regex.compile(pattern).finditer
    pairs: list[tuple[int, int]] = []
    for low, text in scalar_texts():
        pairs.extend((low + match.start(), low + match.end() - 1) for match in find(text))
    return normalise(pairs)


@cache
def _changed_by_nfkc_casefold() -> Ranges:
    """The characters that case folding, compatibility and the removal of ignorable ones change."""
    ignored = _spans(r"\p{Default_Ignorable_Code_Point=Yes}+")
    changed: list[tuple[int, int]] = [*ignored]
    for low, text in scalar_texts():
        for point, char in enumerate(text, low):
            folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", char).casefold())
            if unicodedata.normalize("NFKC", folded.casefold()) != char:
                changed.append((point, point))
    return normalise(changed)


@cache
def _binary() -> dict[str, str]:
    return _by_both_names(_BINARY)


@cache
def _scripts() -> dict[str, str]:
    return _by_both_names(_SCRIPTS) | _SCRIPT_ALIASES


@cache
def _categories() -> dict[str, str]:
    long_names = {long: short for short, (long, _) in CATEGORIES.items()}
    return {short: short for short in CATEGORIES} | long_names | _CATEGORY_ALIASES


def _by_both_names(table: str) -> dict[str, str]:
    """From either name of an entry ``first:second`` to its first."""
    pairs = (entry.split(":") for entry in table.split())
    return {name: names[0] for names in pairs for name in names}
