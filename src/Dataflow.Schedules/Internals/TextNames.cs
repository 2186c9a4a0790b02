using System.Globalization;
using System.Text;

namespace Dataflow.Schedules.Internals;

/// <summary>
/// How names appear in the text form. A plain name (ASCII letters, digits and "_./-|") stands for itself; any other is quoted where it is
/// declared. A thing is referred to by its name if that is plain and no other of its kind has it, else by "#" and its index.
/// </summary>
internal static class TextNames
{
    /// <summary>The character may be part of a plain name.</summary>
    public static bool IsPlain(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '/' or '-' or '|';

    /// <summary>The name needs no quotes.</summary>
    public static bool IsPlain(string name)
    {
        foreach (char c in name)
        {
            if (!IsPlain(c))
            {
                return false;
            }
        }

        return name.Length > 0;
    }

    /// <summary>The text by which each thing of one kind is referred to, by index.</summary>
    public static string[] References<T>(ReadOnlySpan<T> things, Func<T, string> nameOf)
    {
        var references = new string[things.Length];
        var first = new Dictionary<string, int>(things.Length, StringComparer.Ordinal);
        for (int i = 0; i < things.Length; i++)
        {
            string name = nameOf(things[i]);
            references[i] = name;
            if (!IsPlain(name))
            {
                references[i] = ByIndex(i);
            }
            else if (!first.TryAdd(name, i))
            {
                references[i] = ByIndex(i);
                references[first[name]] = ByIndex(first[name]);
            }
        }

        return references;
    }

    /// <summary>The reference to a thing that may not even exist: a faulty schedule has to print, too.</summary>
    public static string Reference(string[] references, int index) =>
        (uint)index < (uint)references.Length ? references[index] : ByIndex(index);

    /// <summary>Appends a name as declared: plain, or quoted with the escapes \" \\ \n and \uXXXX.</summary>
    public static void AppendName(StringBuilder text, string name)
    {
        if (IsPlain(name))
        {
            text.Append(name);
            return;
        }

        text.Append('"');
        foreach (char c in name)
        {
            _ = c switch
            {
                '"' or '\\' => text.Append('\\').Append(c),
                '\n' => text.Append("\\n"),

                // A line stays a line, and half a surrogate pair survives the way through UTF-8.
                _ when char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' =>
                    text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => text.Append(c),
            };
        }

        text.Append('"');
    }

    private static string ByIndex(int index) => string.Create(CultureInfo.InvariantCulture, $"#{index}");
}
