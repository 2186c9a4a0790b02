using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dataflow.Corpora;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>dataflow data show: documents or rows as training sees them, with the trained tokens marked.</summary>
internal static class DataShowVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow data show chats.jsonl --tokenizer models/qwen3-0.6b",
        "dataflow data show chats-tokens --tokenizer models/qwen3-0.6b --seqlen 4096 --count 1",
    ];

    private const int DefaultCount = 3;
    private const int MostShown = 2000;

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "show",
            "Prints documents as the model will read them, what is trained between [[ and ]] (and coloured, on a terminal); with --seqlen, "
                + "rows as they are made of documents. So masks are seen before money is spent."
        );
        var sources = new Argument<string[]>("sources")
        {
            Description = "texts, records, conversations, a folder of tokens, or a file of ids", Arity = ArgumentArity.OneOrMore,
        };
        var corpus = new CorpusFlags();
        var count = Declare.Option<int?>(
            "--count", "N", $"how many documents or rows [default: {DefaultCount}]", Values.OptionalCount(1, int.MaxValue));
        var skip = Declare.Option<int?>("--skip", "N", "how many to pass over first", Values.OptionalCount(0, int.MaxValue));
        var seqlen = Declare.Option<int?>("--seqlen", "N", "show rows of so many tokens", t => Values.Seqlen(t));
        var ids = Declare.Flag("--ids", "print ids in place of text");
        var all = Declare.Flag("--all", $"print all tokens of each [default: the first {MostShown:N0}]");
        var json = Declare.Flag("--json", "print a line of JSON for each: text, ids, trained");
        command.Arguments.Add(sources);
        foreach (var option in corpus.Reading.Concat(corpus.Rows).Concat([count, skip, seqlen, ids, all, json]))
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed => (int)Execute(
            parsed.GetRequiredValue(sources),
            corpus.Bind(parsed),
            new Wanted(
                parsed.GetValue(skip) ?? 0,
                parsed.GetValue(count) ?? DefaultCount,
                parsed.GetValue(seqlen),
                parsed.GetValue(ids),
                parsed.GetValue(all),
                parsed.GetValue(json))));
        return command;
    }

    private sealed record Wanted(int Skip, int Count, int? Seqlen, bool Ids, bool All, bool Json);

    private static ExitCode Execute(string[] patterns, CorpusOptions options, Wanted wanted)
    {
        string folder = options.Tokenizer
            ?? throw new UserErrorException("data show needs --tokenizer, the folder whose tokenizer the ids are of");
        using var shown = ShownDocuments.Open(patterns, folder, options, wanted.Seqlen);
        bool colour = !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("NO_COLOR") is not { Length: > 0 };
        int at = wanted.Skip;
        foreach (var document in shown.From(wanted.Skip).Take(wanted.Count))
        {
            if (wanted.Json)
            {
                Console.Out.WriteLine(Json(document).ToJsonString(s_written));
            }
            else
            {
                Console.Out.WriteLine(Heading(wanted.Seqlen is null ? "document" : "row", at, document));
                var part = wanted.All ? document : document.First(MostShown);
                Console.Out.WriteLine(wanted.Ids ? string.Join(' ', part.Ids) : part.Marked(colour));
                if (part.Ids.Count < document.Ids.Count)
                {
                    Console.Out.WriteLine($"... and {document.Ids.Count - part.Ids.Count:N0} tokens more (--all)");
                }

                Console.Out.WriteLine();
            }

            at++;
        }

        if (shown.Finding is { } finding)
        {
            Messages.Tell($"found {finding}");
        }

        return at > wanted.Skip ? ExitCode.Ok
            : throw new UserErrorException(
                $"{string.Join(", ", patterns)} has no {(wanted.Seqlen is null ? "document" : "row")} {wanted.Skip}; give a smaller "
                    + $"--skip");
    }

    private static readonly JsonSerializerOptions s_written = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private static string Heading(string unit, int at, ShownDocument document) => string.Create(
        CultureInfo.InvariantCulture,
        $"--- {unit} {at}: {document.Ids.Count:N0} tokens, {document.Trained.Count(t => t):N0} trained"
            + $"{(document.Lengths is { } lengths ? $", documents of {string.Join(", ", lengths)}" : "")}");

    private static JsonObject Json(ShownDocument document) => new()
    {
        ["text"] = document.Text,
        ["ids"] = new JsonArray([.. document.Ids.Select(i => (JsonNode)i)]),
        ["trained"] = new JsonArray([.. document.Trained.Select(t => (JsonNode)(t ? 1 : 0))]),
        ["documents"] = document.Lengths is { } lengths ? new JsonArray([.. lengths.Select(l => (JsonNode)l)]) : null,
    };
}
