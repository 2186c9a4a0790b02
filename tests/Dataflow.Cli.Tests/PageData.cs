using System.IO.Compression;
using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>What a timeline's page holds for its script.</summary>
internal static class PageData
{
    /// <summary>The data of a page's file.</summary>
    public static JsonElement Of(string file)
    {
        const string Mark = "id=\"data\">";
        string page = File.ReadAllText(file);
        int from = page.IndexOf(Mark, StringComparison.Ordinal) + Mark.Length;
        using var data = new DeflateStream(
            new MemoryStream(Convert.FromBase64String(page[from..page.IndexOf("</script>", from, StringComparison.Ordinal)])),
            CompressionMode.Decompress
        );
        return JsonDocument.Parse(data).RootElement;
    }
}
