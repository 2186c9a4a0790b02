using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;

namespace Dataflow.Cli;

/// <summary>
/// Continuations as they are printed: a single one as it comes, several in the order of their prompts, each when it is complete.
/// </summary>
internal sealed class GeneratedTexts(TextWriter output, IReadOnlyList<int> promptTokens, bool json)
{
    private readonly Continuation[] all = [.. promptTokens.Select(_ => new Continuation())];
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private int printed;

    /// <summary>Tokens that came.</summary>
    public int Tokens { get; private set; }

    /// <summary>Prompts of which a token came.</summary>
    public int Firsts { get; private set; }

    /// <summary>When the first token of each prompt had come.</summary>
    public TimeSpan FirstAt { get; private set; }

    /// <summary>Takes a piece.</summary>
    public void Take(GeneratedPiece piece)
    {
        Tokens++;
        var its = all[piece.Prompt];
        if (piece.Index == 0)
        {
            FirstAt = clock.Elapsed;
            Firsts++;
        }

        its.Text.Append(piece.Text);
        its.Ids.Add(piece.Id);
        its.End = piece.End;
        if (!json && all.Length == 1)
        {
            output.Write(piece.Text);
            output.Flush();
            return;
        }

        while (printed < all.Length && all[printed].End != GenerationEnd.None)
        {
            Print(printed++);
        }
    }

    /// <summary>Prints what was interrupted, and ends a single continuation's line.</summary>
    public void Finish()
    {
        if (!json && all.Length == 1)
        {
            output.WriteLine();
            return;
        }

        while (printed < all.Length)
        {
            Print(printed++);
        }
    }

    private void Print(int number)
    {
        var its = all[number];
        if (json)
        {
            output.WriteLine(new JsonObject
            {
                ["prompt"] = number,
                ["text"] = its.Text.ToString(),
                ["ids"] = new JsonArray([.. its.Ids.Select(i => (JsonNode)i)]),
                ["prompt_tokens"] = promptTokens[number],
                ["end"] = its.End switch
                {
                    GenerationEnd.EndToken => "end-token",
                    GenerationEnd.StopText => "stop-text",
                    GenerationEnd.Length => "length",
                    _ => "interrupted",
                },
            }.ToJsonString(s_written));
            return;
        }

        output.WriteLine($"--- {number}");
        output.WriteLine(its.Text.ToString());
    }

    private static readonly System.Text.Json.JsonSerializerOptions s_written = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private sealed class Continuation
    {
        public StringBuilder Text { get; } = new();

        public List<int> Ids { get; } = [];

        public GenerationEnd End { get; set; }
    }
}
