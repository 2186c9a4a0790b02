using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Dataflow.Cli.Tests;

/// <summary>
/// One to three changes to a JSON text: of bytes, as a disk or a transfer makes them, and of values, as a hand or a program does.
/// </summary>
internal static partial class ByteMutations
{
    private static readonly string[] s_numbers =
    [
        "9223372036854775807",
        "-9223372036854775808",
        "-1",
        "0",
        "1e308",
        "1e999",
        "-1e308",
        "1e-308",
        "NaN",
        "Infinity",
        "2147483647",
        "2147483648",
        "4294967296",
        "16777216",
        "0.5",
        "1e-9",
        "00",
        "99999999999999999999999999",
    ];

    private static readonly string[] s_values =
        ["null", "true", "[]", "{}", "\"\"", "\"\\ud800\"", "\"\\udfff\\ud800\"", "\"\\u0000\"", "\"\\u001b[31m\"", "[[[]]]", "\"9\"", "-"];

    [GeneratedRegex(@"-?\d+(\.\d+)?([eE][-+]?\d+)?")]
    private static partial Regex Number();

    [GeneratedRegex("\"(\\\\.|[^\"\\\\])*\"")]
    private static partial Regex Quoted();

    [GeneratedRegex("\"[^\"]+\"\\s*:\\s*(\"[^\"]*\"|-?[\\d.eE+-]+|true|false|null)\\s*,?")]
    private static partial Regex Member();

    /// <summary>The changed text.</summary>
    public static byte[] Apply(byte[] sound, Random random)
    {
        byte[] damaged = sound;
        for (int i = random.Next(1, 4); i > 0; i--)
        {
            damaged = Once(damaged, random);
        }

        return damaged;
    }

    private static byte[] Once(byte[] text, Random random)
    {
        int at = text.Length == 0 ? 0 : random.Next(text.Length);
        return random.Next(17) switch
        {
            0 when text.Length > 0 => [.. text[..at], (byte)(text[at] ^ (1 << random.Next(8))), .. text[(at + 1)..]],
            1 => text[..at],
            2 => [.. text[..at], .. text[Math.Min(text.Length, at + random.Next(1, 20))..]],
            3 => [.. text[..at], .. new byte[random.Next(1, 5)], .. text[at..]],
            4 => [.. text[..at], 0xED, 0xA0, 0x80, .. text[at..]],
            5 => [.. text[..at], 0xFF, 0xFE, .. text[at..]],
            6 => [0xEF, 0xBB, 0xBF, .. text],
            7 => [0xFF, 0xFE, .. Encoding.Unicode.GetBytes(Encoding.UTF8.GetString(text))],
            8 => [.. text[..at], .. Encoding.UTF8.GetBytes(new string('[', 100_000)), .. text[at..]],
            9 => Value(text, Quoted(), random, "\"" + new string('x', 1 << 20) + "\""),
            10 => Value(text, Quoted(), random, s_values[random.Next(s_values.Length)]),
            11 => Value(text, Number(), random, s_values[random.Next(s_values.Length)]),
            12 => Twice(text, random),
            13 => Value(text, Member(), random, ""),
            14 => [.. text, .. text],
            _ => Value(text, Number(), random, s_numbers[random.Next(s_numbers.Length)]),
        };
    }

    private static byte[] Value(byte[] text, Regex rule, Random random, string value)
    {
        string whole = Encoding.UTF8.GetString(text);
        var found = rule.Matches(whole);
        if (found.Count == 0)
        {
            return text;
        }

        var one = found[random.Next(found.Count)];
        return Encoding.UTF8.GetBytes(string.Concat(whole.AsSpan(0, one.Index), value, whole.AsSpan(one.Index + one.Length)));
    }

    private static byte[] Twice(byte[] text, Random random)
    {
        string whole = Encoding.UTF8.GetString(text);
        var found = Member().Matches(whole);
        if (found.Count == 0)
        {
            return text;
        }

        var one = found[random.Next(found.Count)];
        return Encoding.UTF8.GetBytes(whole.Insert(one.Index, one.Value.TrimEnd(',').ToString(CultureInfo.InvariantCulture) + ", "));
    }
}
