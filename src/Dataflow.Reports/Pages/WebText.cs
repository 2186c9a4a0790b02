using System.IO.Compression;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Dataflow.Reports.Pages;

/// <summary>
/// Pages as texts: a frame with styles, scripts and data inside, so that no page needs a network. Pages of a folder may share a style and a
/// script beside them.
/// </summary>
internal static class WebText
{
    private const string Prefix = "Dataflow.Reports.Web.";

    /// <summary>A text that the assembly carries.</summary>
    /// <exception cref="InvalidOperationException">The build left it out.</exception>
    public static string Load(string name)
    {
        using var stream = typeof(WebText).Assembly.GetManifestResourceStream(Prefix + name)
            ?? throw new InvalidOperationException($"{name} is not part of this build: run `make pages-deps build`");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    /// <summary>Several texts, one after the other.</summary>
    public static string Load(params ReadOnlySpan<string> names)
    {
        var text = new StringBuilder();
        foreach (string name in names)
        {
            text.Append(Load(name)).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>An object, written by its members.</summary>
    public static string Json(Action<Utf8JsonWriter> members)
    {
        using var text = JsonBytes(members);
        return Encoding.UTF8.GetString(text.GetBuffer().AsSpan(0, (int)text.Length));
    }

    /// <summary>An object for a page's script to unpack: deflated, in base64.</summary>
    public static string Packed(Action<Utf8JsonWriter> members)
    {
        using var text = JsonBytes(members);
        using var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            text.WriteTo(deflate);
        }

        return Convert.ToBase64String(packed.GetBuffer().AsSpan(0, (int)packed.Length));
    }

    /// <summary>A page: the frame with everything in its place.</summary>
    /// <param name="name">Of its body, <c>name.html</c>.</param>
    /// <param name="title">Heads the page.</param>
    /// <param name="style">The style sheet's text.</param>
    /// <param name="data">For the script (<see cref="Json"/>, <see cref="Packed"/>), without <c>&lt;</c>: System.Text.Json escapes it
    /// unless told otherwise.</param>
    /// <param name="script">The script's text.</param>
    /// <param name="module">Whether the script waits for something and is a module for that.</param>
    public static string Page(string name, string title, string style, string data, string script, bool module = false)
    {
        string kind = module ? "module" : "text/javascript";
        return Framed(name, title, $"<style>\n{style}\n</style>", data, $"<script type=\"{kind}\">\n{script}\n</script>");
    }

    /// <summary>
    /// A page whose style and script are files beside it, <c>shared.css</c> and <c>shared.js</c>: of many pages each then has little more
    /// than its data.
    /// </summary>
    public static string PageBeside(string shared, string name, string title, string data) =>
        Framed(name, title, $"<link rel=\"stylesheet\" href=\"{shared}.css\">", data, $"<script src=\"{shared}.js\"></script>");

    private static string Framed(string name, string title, string style, string data, string script)
    {
        string frame = Load("frame.html");
        var page = new StringBuilder(frame.Length + style.Length + data.Length + script.Length);
        int from = 0;
        foreach (
            var (mark, text) in new[]
            {
                ("{{title}}", HtmlEncoder.Default.Encode(title)),
                ("{{style}}", style),
                ("{{body}}", Load(name + ".html")),
                ("{{data}}", data),
                ("{{script}}", script),
            }
        )
        {
            int at = frame.IndexOf(mark, from, StringComparison.Ordinal);
            page.Append(frame, from, at - from).Append(text);
            from = at + mark.Length;
        }

        return page.Append(frame, from, frame.Length - from).ToString();
    }

    private static MemoryStream JsonBytes(Action<Utf8JsonWriter> members)
    {
        var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        return text;
    }
}
