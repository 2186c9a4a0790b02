"""Writes decompositions.txt from the Unicode character database.

    python make_decompositions.py FOLDER > decompositions.txt

FOLDER has UnicodeData.txt, DerivedAge.txt and CompositionExclusions.txt (Debian's package unicode-data has them in
/usr/share/unicode). Only what Unicode 9.0 had is taken: the tables of the Rust library, which published tokenizers were made
with, are of that version. Lines: CODE=PARTS composes again, CODE-PARTS does not, CODE~PARTS is a compatible decomposition;
@CLASS RANGES are combining classes, and %RANGES are marks.
"""
import sys

NEWEST = (9, 0)


def rows(folder, name):
    with open(f"{folder}/{name}", encoding="utf-8") as file:
        for line in file:
            line = line.split("#")[0].strip()
            if line:
                yield [part.strip() for part in line.split(";")]


def span(text):
    first, _, last = text.partition("..")
    return range(int(first, 16), int(last or first, 16) + 1)


def ranges(codes):
    found = []
    for code in sorted(codes):
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return " ".join(f"{a:X}" if a == b else f"{a:X}-{b:X}" for a, b in found)


def main(folder):
    old = {c for r, age in rows(folder, "DerivedAge.txt") if tuple(map(int, age.split("."))) <= NEWEST for c in span(r)}
    excluded = {c for row in rows(folder, "CompositionExclusions.txt") for c in span(row[0])}
    lines, classes, marks = [], {}, []
    parts = {}
    for row in rows(folder, "UnicodeData.txt"):
        code = int(row[0], 16)
        if code not in old or row[1].startswith("<"):
            continue
        if row[2].startswith("M"):
            marks.append(code)
        if row[3] != "0":
            classes.setdefault(int(row[3]), []).append(code)
        if row[5]:
            parts[code] = row[5]
    combining = {c for codes in classes.values() for c in codes}
    for code, text in parts.items():
        if text.startswith("<"):
            lines.append(f"{code:X}~{text.split('> ')[1]}")
            continue
        stays = " " not in text or code in excluded or code in combining or int(text.split()[0], 16) in combining
        lines.append(f"{code:X}{'-' if stays else '='}{text}")
    print("# Written by make_decompositions.py, which says what the lines mean.")
    print("\n".join(lines))
    for number in sorted(classes):
        print(f"@{number} {ranges(classes[number])}")
    print("%" + ranges(marks))


if __name__ == "__main__":
    main(sys.argv[1])
