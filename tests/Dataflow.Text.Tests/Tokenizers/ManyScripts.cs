using System.Text;

namespace Dataflow.Text.Tests;

/// <summary>Texts in twelve scripts, code and emoji, made from a seed: words of random letters, signs and spaces between them.</summary>
internal static class ManyScripts
{
    private static readonly (int First, int Last)[] s_scripts =
    [
        (0x61, 0x7A), (0xC0, 0x17F), (0x391, 0x3C9), (0x410, 0x44F), (0x5D0, 0x5EA), (0x621, 0x64A), (0x905, 0x94D), (0xE01, 0xE4E),
        (0x3041, 0x30FA), (0x4E00, 0x9FA5), (0xAC00, 0xD7A3), (0x1200, 0x1248), (0x10A0, 0x10FF), (0x1D400, 0x1D454),
    ];

    private static readonly string[] s_between =
    [
        " ", " ", " ", " ", " ", "  ", "\n", "\n\n", ", ", ". ", "-", "'", "'s ", " (", ") ", "\t", "\r\n", "\u3002", "\u060C ",
        " \u2014 ", "", "_", "/",
    ];

    private static readonly string[] s_emoji =
    [
        "\U0001F600", "\U0001F44D\U0001F3FD", "\U0001F468\u200D\U0001F469\u200D\U0001F467", "\u2764\uFE0F", "\U0001F1E9\U0001F1EA",
        "e\u0301", "\u1112\u1161\u11AB",
    ];

    /// <summary>Texts of about two thousand bytes each, of so many bytes together.</summary>
    public static List<string> Texts(int bytes)
    {
        var random = new Random(1789);
        string[] code = [.. Directory.GetFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(f => !f.Contains("/obj/", StringComparison.Ordinal)).Order(StringComparer.Ordinal).Take(60).Select(File.ReadAllText)];
        string[] corpus = Encoding.UTF8.GetString(GoldenTokenizers.File("train/corpus.txt")).Split('\n');
        var texts = new List<string>();
        for (int made = 0; made < bytes;)
        {
            var text = new StringBuilder();
            while (text.Length < 1000)
            {
                text.Append(random.Next(10) switch
                {
                    0 => Part(code[random.Next(code.Length)], random),
                    1 or 2 => corpus[random.Next(corpus.Length)] + "\n",
                    _ => Words(random),
                });
            }

            texts.Add(text.ToString());
            made += Encoding.UTF8.GetByteCount(texts[^1]);
        }

        return texts;
    }

    private static string Part(string code, Random random)
    {
        int start = random.Next(code.Length);
        return code.Substring(start, Math.Min(random.Next(300), code.Length - start));
    }

    private static string Words(Random random)
    {
        var text = new StringBuilder();
        var (first, last) = s_scripts[random.Next(s_scripts.Length)];
        for (int n = random.Next(1, 12); n > 0; n--)
        {
            for (int letters = random.Next(1, 9); letters > 0; letters--)
            {
                text.Append(new Rune(random.Next(first, last + 1)).ToString());
            }

            text.Append(random.Next(12) switch
            {
                0 => s_emoji[random.Next(s_emoji.Length)],
                1 => random.Next(100000).ToString(System.Globalization.CultureInfo.InvariantCulture),
                _ => s_between[random.Next(s_between.Length)],
            });
        }

        return text.ToString();
    }
}
