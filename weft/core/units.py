"""Numbers with a unit as people write them: 70.85 €, $1,299.00, 12 %, 3.5 kg."""

import re
import unicodedata
from typing import NamedTuple

# fmt: off
_CURRENCIES = frozenset(["EUR", "USD", "GBP", "CHF", "JPY", "CNY", "RMB", "INR", "AUD", "CAD", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "RUB", "BRL", "KRW", "SGD", "HKD", "NZD", "MXN", "ZAR", "TRY", "TWD", "THB", "ILS", "A$", "C$", "US$", "HK$", "NT$", "R$", "S$", "NZ$", "Fr", "Fr.", "SFr", "SFr.", "Euro", "euro", "kr", "kr.", "zł", "Kč", "Ft", "元", "円"])
_OTHERS = frozenset(["%", "‰", "ppm", "°", "°C", "°F", "nm", "µm", "mm", "cm", "dm", "m", "km", "in", "inch", "ft", "mi", "yd", "Zoll", "mm²", "cm²", "dm²", "m²", "km²", "ha", "mm³", "cm³", "m³", "ccm", "cc", "ml", "mL", "cl", "dl", "l", "hl", "ng", "µg", "mg", "g", "kg", "t", "lb", "lbs", "oz", "ms", "s", "sec", "sek", "min", "h", "hr", "hrs", "d", "Std", "Std.", "Sek", "Min", "µs", "km/h", "m/s", "mph", "kmh", "kn", "kW", "MW", "kWh", "Wh", "MWh", "kJ", "MJ", "kcal", "cal", "mV", "kV", "mA", "mAh", "Ah", "Hz", "kHz", "MHz", "GHz", "dB", "PS", "hp", "KB", "kB", "MB", "GB", "TB", "Mbit/s", "Mbps", "px", "dpi", "rpm", "Pa", "hPa", "kPa", "MPa", "bar", "mbar", "mmHg", "psi", "mg/dl", "mg/dL", "g/dl", "g/dL", "g/l", "g/L", "mg/l", "mg/L", "µg/l", "µg/L", "ng/ml", "ng/mL", "mmol/l", "mmol/L", "µmol/l", "mol", "U/l", "U/L", "IE/l", "IU/l", "mg/kg", "kg/m²", "bpm", "/min", "1/min", "pcs", "Stk", "Stk.", "Stück", "St.", "days", "Tage", "hours", "Stunden", "minutes", "Minuten", "weeks", "Wochen", "months", "Monate", "years", "Jahre", "岁", "个月", "天", "小时", "分钟", "公斤", "克", "千克", "米", "厘米", "毫米", "公里", "平方米", "斤", "升", "毫升", "件"])
_SAME = {
    "EUR": "€", "Euro": "€", "euro": "€", "Euros": "€", "euros": "€", "USD": "$", "US$": "$", "dollar": "$",
    "dollars": "$", "Dollar": "$", "GBP": "£", "INR": "₹", "percent": "%", "Prozent": "%", "pct": "%",
    "μm": "µm", "um": "µm", "μg": "µg", "ug": "µg", "mcg": "µg", "μs": "µs", "mm2": "mm²", "cm2": "cm²", "m2": "m²",
    "qm": "m²", "sqm": "m²", "km2": "km²", "m3": "m³", "cm3": "cm³", "L": "l", "ltr": "l", "gr": "g", "lb": "lbs",
    "day": "days", "Tag": "Tage", "hour": "hours", "Stunde": "Stunden", "minute": "minutes", "Minute": "Minuten",
    "week": "weeks", "Woche": "Wochen", "month": "months", "Monat": "Monate", "year": "years", "Jahr": "Jahre",
    "yr": "years", "yrs": "years",
}
# fmt: on
_NUMBER = re.compile(
    "[+-]?[.,]?\\d(?:[\\d.,'’ \u00a0\u2009\u202f]*\\d)?(?:[.,](?![\\d-]))?(?:[eE][+-]?\\d+)?"
)
_PLAIN = re.compile("[+-]?\\d+(?:\\.\\d+)?(?:[eE][+-]?\\d+)?")
_NO_CENTS = re.compile(",[-–—]+")


class Written(NamedTuple):
    """The digits of a number with their separators, as they are written, and its unit; "" if it has none."""

    number: str
    unit: str


def written(text: str) -> Written | None:
    """The number and the unit in a text; a currency may be before the number. None if the text is not a number.

    A unit has one spelling: 5 EUR and 5 € have the same unit.
    """
    if _PLAIN.fullmatch(text):  # the most frequent case, and the fastest to check
        return Written(text, "")
    text = text.strip().replace("−", "-")
    found = _NUMBER.search(text)
    if found is None:
        return None
    before, after = text[: found.start()].strip(), text[found.end() :].strip()
    number = found[0]
    if not before and not after:
        return Written(number, "")
    if before and before[0] in "+-" and number[0] not in "+-":
        before, number = before[1:].strip(), before[0] + number
    after = _NO_CENTS.sub("", after).strip()
    if before and not _is_currency(before):
        return None
    if after and not (_is_currency(after) or after in _OTHERS or after in _SAME):
        return None
    units = {_SAME.get(unit, unit) for unit in (before, after) if unit}
    return Written(number, units.pop() if units else "") if len(units) < 2 else None


def _is_currency(unit: str) -> bool:
    known = unit in _CURRENCIES or _SAME.get(unit, "") in ("€", "$", "£", "₹")
    return known or (len(unit) == 1 and unicodedata.category(unit) == "Sc")
